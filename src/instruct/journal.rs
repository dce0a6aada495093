//! `replies.jsonl`: all that the teacher replied, raw, in the order of arrival.
//!
//! A reply counts once its line is on disk. What a run has made follows from the lines alone, so a
//! run that was killed goes on as if it had been stopped.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::InstructError;
use super::response::ResponseType;
use crate::endpoint::{ChatError, ChatReply};
use crate::journal::Journal;

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

/// Opens the journal in a run's folder and hands over what is in it, each entry with its line.
pub(super) fn open(
    folder: &Path,
    take: impl FnMut(usize, Entry) -> Result<(), String>,
) -> Result<Journal, InstructError> {
    Ok(Journal::open(&folder.join("replies.jsonl"), take)?)
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
        let journal = open(folder, |_, entry| {
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
        journal.append(&[entry(1)]).expect("written");
        let first = fs::read(&path).expect("read").len();
        journal.append(&[entry(2)]).expect("written");
        drop(journal);
        let whole = fs::read(&path).expect("read");
        for cut in first..whole.len() {
            fs::write(&path, &whole[..cut]).expect("written");
            let (mut journal, entries) = read(folder.path()).expect("mended");
            assert_eq!(entries, [entry(1)], "cut at {cut}");
            journal.append(&[entry(2)]).expect("written");
            assert_eq!(journal.len(), 2);
            assert_eq!(fs::read(&path).expect("read"), whole, "cut at {cut}");
        }
    }

    #[test]
    fn damage_elsewhere_is_told_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("replies.jsonl");
        let (mut journal, _) = read(folder.path()).expect("new");
        for attempt in 1..=3 {
            journal.append(&[entry(attempt)]).expect("written");
        }
        let text = fs::read_to_string(&path).expect("read");
        fs::write(&path, text.replace("\"attempt\":2", "\"attempt\":")).expect("written");
        let error = read(folder.path()).map(|_| ()).expect_err("damaged");
        assert!(error.contains("replies.jsonl:2: "), "{error}");
    }
}
