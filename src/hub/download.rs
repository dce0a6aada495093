//! The bytes of one file, into its blob.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use super::Observer;
use super::error::HubError;
use super::remote::{Body, Content, Remote};
use crate::hash::sha256;

/// How often a broken connection is opened again; each time something must have come.
const ATTEMPTS: usize = 20;
/// Bytes read at once.
const CHUNK: usize = 1 << 18;

/// A file to download.
pub(super) struct Download<'d, 'h> {
    pub remote: &'d Remote<'h>,
    pub commit: &'d str,
    pub file: &'d str,
    pub content: &'d Content,
}

impl Download<'_, '_> {
    /// Downloads into `blob`, which is there only once it is whole. What came before a failure is
    /// kept in `BLOB.incomplete`, and the next call goes on from there.
    pub(super) fn run(&self, blob: &Path, observer: &mut Observer<'_>) -> Result<(), HubError> {
        let size = self.content.size;
        if blob.metadata().is_ok_and(|found| found.len() == size) {
            return Ok(());
        }
        let part = blob.with_file_name(format!("{}.incomplete", self.content.hash));
        let mut attempt = 1;
        loop {
            let before = len(&part);
            let came = self.append(&part, observer);
            match came {
                Ok(()) => break,
                Err(HubError::Interrupted { .. }) if len(&part) > before && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
        self.verify(&part)?;
        fs::rename(&part, blob).map_err(|source| HubError::write(blob, source))
    }

    /// Fetches what `part` still lacks.
    fn append(&self, part: &Path, observer: &mut Observer<'_>) -> Result<(), HubError> {
        let size = self.content.size;
        let mut done = len(part);
        if done > size {
            done = 0;
        }
        let failure = |source| HubError::write(part, source);
        let options = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(part);
        let mut file = options.map_err(failure)?;
        if done < size {
            let Body { start, mut reader } = self.remote.open(self.commit, self.file, done)?;
            // A server may ignore the range asked for.
            done = start;
            file.set_len(done).map_err(failure)?;
            seek_end(&mut file).map_err(failure)?;
            let mut chunk = vec![0; CHUNK];
            loop {
                observer(self.file, done, size);
                let len = match reader.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(len) => len,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(self.interrupted(done, error.to_string())),
                };
                done += len as u64;
                if done > size {
                    drop(file);
                    return Err(self.throw_away(
                        part,
                        format!("over {size} bytes"),
                        format!("{size} bytes"),
                    ));
                }
                file.write_all(&chunk[..len]).map_err(failure)?;
            }
            if done < size {
                return Err(self.interrupted(done, "the connection was closed".to_owned()));
            }
        }
        file.set_len(size)
            .and_then(|()| file.sync_all())
            .map_err(failure)
    }

    /// Compares the hash of a large file. A small one has git's, of which its size must do.
    fn verify(&self, part: &Path) -> Result<(), HubError> {
        if !self.content.is_sha256 {
            return Ok(());
        }
        let found = sha256(part).map_err(|source| HubError::write(part, source))?;
        if found == self.content.hash {
            return Ok(());
        }
        let expected = format!("SHA-256 {}", self.content.hash);
        Err(self.throw_away(part, format!("SHA-256 {found}"), expected))
    }

    fn throw_away(&self, part: &Path, found: String, expected: String) -> HubError {
        if let Err(source) = fs::remove_file(part) {
            return HubError::write(part, source);
        }
        HubError::Mismatch {
            id: self.remote.id().clone(),
            file: self.file.to_owned(),
            expected,
            found,
        }
    }

    fn interrupted(&self, done: u64, problem: String) -> HubError {
        HubError::Interrupted {
            id: self.remote.id().clone(),
            file: self.file.to_owned(),
            done,
            size: self.content.size,
            problem,
        }
    }
}

fn seek_end(file: &mut File) -> std::io::Result<u64> {
    std::io::Seek::seek(file, std::io::SeekFrom::End(0))
}

fn len(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}
