//! Lines of JSON that are added one after the other, and outlive the process that adds them.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use menagerie_core::weights::sync_folder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::BenchError;
use super::files::write_error;
use crate::json::json_line;

/// A file of JSON lines.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Where each line ends.
    ends: Vec<u64>,
}

impl Journal {
    /// Opens the file, or makes it, with what it holds. A last line that a killed process left
    /// unfinished is cut off.
    pub(super) fn open<T: DeserializeOwned>(path: &Path) -> Result<(Self, Vec<T>), BenchError> {
        let failed = |source| write_error(path, source);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(failed)?;
        // Without its name on the disk the lines would be lost that are there.
        path.parent().map_or(Ok(()), sync_folder).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (mut ends, mut entries) = (Vec::new(), Vec::new());
        let mut end = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if line.last() != Some(&b'\n') {
                break;
            }
            end += line.len() as u64;
            ends.push(end);
            let entry = serde_json::from_slice(line).map_err(|error| BenchError::Broken {
                path: path.to_owned(),
                line: ends.len(),
                reason: error.to_string(),
            })?;
            entries.push(entry);
        }
        let mut journal = Self {
            path: path.to_owned(),
            file,
            ends,
        };
        journal.keep(entries.len())?;
        Ok((journal, entries))
    }

    /// Cuts off all but the first `count` lines.
    pub(super) fn keep(&mut self, count: usize) -> Result<(), BenchError> {
        self.ends.truncate(count);
        let end = self.ends.last().copied().unwrap_or(0);
        let cut = self.file.set_len(end);
        let cut = cut.and_then(|()| self.file.seek(SeekFrom::Start(end)));
        cut.map(drop)
            .map_err(|source| write_error(&self.path, source))
    }

    /// Adds lines, which are on the disk when this returns.
    pub(super) fn append<T: Serialize>(&mut self, entries: &[T]) -> Result<(), BenchError> {
        let mut bytes = Vec::new();
        let begin = self.ends.last().copied().unwrap_or(0);
        for entry in entries {
            bytes.extend(json_line(entry));
            self.ends.push(begin + bytes.len() as u64);
        }
        let written = self.file.write_all(&bytes);
        let written = written.and_then(|()| self.file.sync_data());
        written.map_err(|source| write_error(&self.path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_and_a_torn_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines.jsonl");
        let (mut journal, found) = Journal::open::<u32>(&path).expect("opened");
        assert!(found.is_empty());
        journal.append(&[1, 22]).expect("added");
        journal.append(&[333]).expect("added");
        drop(journal);
        let text = || std::fs::read_to_string(&path).expect("read");
        assert_eq!(text(), "1\n22\n333\n");

        std::fs::write(&path, "1\n22\n33").expect("torn");
        let (mut journal, found) = Journal::open::<u32>(&path).expect("opened");
        assert_eq!(found, [1, 22]);
        journal.append(&[4]).expect("added");
        journal.keep(1).expect("cut");
        journal.append(&[5]).expect("added");
        assert_eq!(text(), "1\n5\n");

        std::fs::write(&path, "1\nx\n3\n").expect("damaged");
        let error = Journal::open::<u32>(&path)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains("lines.jsonl:2: expected value"), "{error}");
    }
}
