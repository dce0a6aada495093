//! `replies.jsonl`: all that the teacher replied, raw, in the order of arrival.
//!
//! A reply counts once its line is on disk. What a run has made follows from the lines alone, so a
//! run that was killed goes on as if it had been stopped.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use menagerie_core::weights::sync_folder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::InstructError;
use super::response::ResponseType;
use crate::endpoint::{ChatError, ChatReply};
use crate::json::json_line;

/// What came of a request for good.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The context's id.
    pub context: String,
    #[serde(rename = "type")]
    pub kind: ResponseType,
    /// How many of this type are made of this context before.
    pub number: u32,
    /// The how-manieth reply to this request it is, from 1.
    pub attempt: u32,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// All that the server sent.
    Reply(Value),
    /// The server does not take this request, now or later.
    Refused {
        /// Why, in one word.
        reason: String,
        /// Its word.
        said: String,
    },
}

impl Outcome {
    /// Of a reply, or of an error that will be the same another time.
    pub(super) fn of(outcome: Result<ChatReply, ChatError>) -> Self {
        match outcome {
            Ok(reply) => Self::Reply(reply.raw),
            Err(error) => Self::Refused {
                reason: error.reason().to_owned(),
                said: error.to_string(),
            },
        }
    }
}

/// The journal, open to add to it.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    line: usize,
}

impl Journal {
    /// Opens the journal in a run's folder and hands over what is in it, each entry with its line.
    /// A last line that was cut is taken away: what it held did not count yet.
    pub(super) fn open(
        folder: &Path,
        mut take: impl FnMut(usize, Entry) -> Result<(), String>,
    ) -> Result<Self, InstructError> {
        let path = folder.join("replies.jsonl");
        let failed = |source| InstructError::write(&path, source);
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path);
        let file = opened.map_err(failed)?;
        sync_folder(folder).map_err(failed)?;
        let mut reader = BufReader::with_capacity(1 << 18, &file);
        let (mut line, mut whole) = (0, 0);
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = reader.read_until(b'\n', &mut text);
            read.map_err(|source| InstructError::read(&path, source))?;
            if text.last() != Some(&b'\n') {
                break;
            }
            line += 1;
            whole += text.len() as u64;
            let entry = serde_json::from_slice(&text).map_err(|error| error.to_string());
            let taken = entry.and_then(|entry| take(line, entry));
            taken.map_err(|reason| InstructError::Damaged {
                path: path.clone(),
                line,
                reason,
            })?;
        }
        let mut journal = Self { path, file, line };
        let mended = journal.cut(whole, !text.is_empty());
        mended.map_err(|source| InstructError::write(&journal.path, source))?;
        Ok(journal)
    }

    fn cut(&mut self, whole: u64, torn: bool) -> io::Result<()> {
        if torn {
            self.file.set_len(whole)?;
            self.file.sync_data()?;
        }
        self.file.seek(SeekFrom::Start(whole)).map(drop)
    }

    /// Adds an entry and returns once it is on disk, with its line.
    pub(super) fn push(&mut self, entry: &Entry) -> Result<usize, InstructError> {
        let written = self.file.write_all(&json_line(entry));
        let synced = written.and_then(|()| self.file.sync_data());
        synced.map_err(|source| InstructError::write(&self.path, source))?;
        self.line += 1;
        Ok(self.line)
    }

    /// Entries that are in it.
    pub(super) const fn len(&self) -> usize {
        self.line
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn entry(attempt: u32) -> Entry {
        Entry {
            context: "1".to_owned(),
            kind: ResponseType::Detail,
            number: 0,
            attempt,
            outcome: Outcome::Reply(json!({ "choices": [] })),
        }
    }

    fn read(folder: &Path) -> Result<(Journal, Vec<Entry>), String> {
        let mut entries = Vec::new();
        let journal = Journal::open(folder, |_, entry| {
            entries.push(entry);
            Ok(())
        });
        let journal = journal.map_err(|error| error.to_string())?;
        Ok((journal, entries))
    }

    /// Wherever the last line is cut, the others are there, and new ones come after them.
    #[test]
    fn a_torn_last_line_is_mended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("replies.jsonl");
        let (mut journal, _) = read(folder.path()).expect("new");
        journal.push(&entry(1)).expect("written");
        let first = fs::read(&path).expect("read").len();
        journal.push(&entry(2)).expect("written");
        drop(journal);
        let whole = fs::read(&path).expect("read");
        for cut in first..whole.len() {
            fs::write(&path, &whole[..cut]).expect("written");
            let (mut journal, entries) = read(folder.path()).expect("mended");
            assert_eq!(entries, [entry(1)], "cut at {cut}");
            assert_eq!(journal.push(&entry(2)).expect("written"), 2);
            assert_eq!(fs::read(&path).expect("read"), whole, "cut at {cut}");
        }
    }

    #[test]
    fn damage_elsewhere_is_told_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("replies.jsonl");
        let (mut journal, _) = read(folder.path()).expect("new");
        for attempt in 1..=3 {
            journal.push(&entry(attempt)).expect("written");
        }
        let text = fs::read_to_string(&path).expect("read");
        fs::write(&path, text.replace("\"attempt\":2", "\"attempt\":")).expect("written");
        let error = read(folder.path()).map(|_| ()).expect_err("damaged");
        assert!(error.contains("replies.jsonl:2: "), "{error}");
    }
}
