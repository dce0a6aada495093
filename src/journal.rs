//! Lines of JSON that are added one after the other, and outlive the process that adds them.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use menagerie_core::weights::sync_folder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::json::json_line;

/// A file of JSON lines, open to add to it.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// Where each line ends.
    ends: Vec<u64>,
}

/// A journal that cannot be used. Each room has errors of its own for these.
#[derive(Debug, Error)]
pub(crate) enum JournalError {
    #[error("cannot read `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`", .path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A whole line, from 1, that is not as it must be.
    #[error("{}:{line}: {reason}", .path.display())]
    Line {
        path: PathBuf,
        line: usize,
        reason: String,
    },
}

impl Journal {
    /// Opens the file, or makes it, and hands over what is in it, each entry with its line from 1. A
    /// last line that a killed process left unfinished is cut off: what it held did not count yet.
    pub(crate) fn open<T: DeserializeOwned>(
        path: &Path,
        mut take: impl FnMut(usize, T) -> Result<(), String>,
    ) -> Result<Self, JournalError> {
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path);
        // Without its name on the disk the lines would be lost that are there.
        let named = opened.and_then(|file| {
            path.parent().map_or(Ok(()), sync_folder)?;
            Ok(file)
        });
        let file = named.map_err(|source| JournalError::Write {
            path: path.to_owned(),
            source,
        })?;
        let mut reader = BufReader::with_capacity(1 << 18, &file);
        let (mut ends, mut end) = (Vec::new(), 0);
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = reader.read_until(b'\n', &mut text);
            read.map_err(|source| JournalError::Read {
                path: path.to_owned(),
                source,
            })?;
            if text.last() != Some(&b'\n') {
                break;
            }
            end += text.len() as u64;
            ends.push(end);
            let entry = serde_json::from_slice(&text).map_err(|error| error.to_string());
            let taken = entry.and_then(|entry| take(ends.len(), entry));
            taken.map_err(|reason| JournalError::Line {
                path: path.to_owned(),
                line: ends.len(),
                reason,
            })?;
        }
        let mut journal = Self {
            path: path.to_owned(),
            file,
            ends,
        };
        journal.keep(journal.len())?;
        Ok(journal)
    }

    /// The same, with all entries at once.
    #[cfg(feature = "bench")]
    pub(crate) fn whole<T: DeserializeOwned>(path: &Path) -> Result<(Self, Vec<T>), JournalError> {
        let mut entries = Vec::new();
        let journal = Self::open(path, |_, entry| {
            entries.push(entry);
            Ok(())
        })?;
        Ok((journal, entries))
    }

    /// Entries that are in it.
    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Cuts off all but the first `count` lines.
    pub(crate) fn keep(&mut self, count: usize) -> Result<(), JournalError> {
        self.ends.truncate(count);
        let end = self.ends.last().copied().unwrap_or(0);
        let cut = || -> io::Result<()> {
            if self.file.metadata()?.len() != end {
                self.file.set_len(end)?;
                self.file.sync_data()?;
            }
            (&self.file).seek(SeekFrom::Start(end)).map(drop)
        };
        cut().map_err(|source| self.unwritten(source))
    }

    /// Adds lines, which are on the disk when this returns.
    pub(crate) fn append<T: Serialize>(&mut self, entries: &[T]) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        let begin = self.ends.last().copied().unwrap_or(0);
        let mut ends = Vec::with_capacity(entries.len());
        for entry in entries {
            bytes.extend(json_line(entry));
            ends.push(begin + bytes.len() as u64);
        }
        let written = self.file.write_all(&bytes);
        let written = written.and_then(|()| self.file.sync_data());
        written.map_err(|source| self.unwritten(source))?;
        self.ends.extend(ends);
        Ok(())
    }

    fn unwritten(&self, source: io::Error) -> JournalError {
        JournalError::Write {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(all(test, feature = "bench"))]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_and_a_torn_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines.jsonl");
        let (mut journal, found) = Journal::whole::<u32>(&path).expect("opened");
        assert!(found.is_empty());
        journal.append(&[1, 22]).expect("added");
        journal.append(&[333]).expect("added");
        drop(journal);
        let text = || std::fs::read_to_string(&path).expect("read");
        assert_eq!(text(), "1\n22\n333\n");

        std::fs::write(&path, "1\n22\n33").expect("torn");
        let (mut journal, found) = Journal::whole::<u32>(&path).expect("opened");
        assert_eq!(found, [1, 22]);
        journal.append(&[4]).expect("added");
        journal.keep(1).expect("cut");
        journal.append(&[5]).expect("added");
        assert_eq!(text(), "1\n5\n");

        std::fs::write(&path, "1\nx\n3\n").expect("damaged");
        let error = Journal::whole::<u32>(&path)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains("lines.jsonl:2: expected value"), "{error}");
    }
}
