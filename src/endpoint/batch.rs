//! The files of OpenAI's batch API: requests that are answered within a day for half the price.
//!
//! A file of requests has one a line, `{custom_id, method, url, body}`. What comes back is a file of
//! the replies, `{id, custom_id, response: {status_code, body}, error}`, in any order, and one of
//! the errors in the same form. vLLM's `run-batch` reads and writes the same.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use menagerie_core::weights;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::config::TokenLimit;
use super::error::ChatError;
use super::refusal::Refusal;
use super::reply::ChatReply;
use super::request::ChatRequest;

/// Most requests of one file that OpenAI takes.
const MAX_REQUESTS: usize = 50_000;
/// Most bytes of one file that OpenAI takes: 200 MB.
const MAX_BYTES: usize = 200_000_000;
/// Where a request of a batch goes.
const URL: &str = "/v1/chat/completions";

/// A batch's file that cannot be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// It cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// It cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A line is not what a batch's output has.
    #[error("{}:{line}: {reason}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what is allowed.
        reason: String,
    },

    /// Two requests of one id.
    #[error("two requests have the id `{0}`; ids tell replies apart, so each must be another")]
    SameId(String),
}

/// Writes requests with their ids into files that OpenAI and others take: `path`, and once it has
/// 50,000 requests or 200 MB, which is most that OpenAI takes, `NAME-2.jsonl` beside it, and so on.
/// Each file appears whole or not at all. Gives the files with the number of requests in each; none
/// if there are no requests.
///
/// # Errors
/// A file cannot be written, or two requests have the same id.
pub fn write(
    path: &Path,
    model: &str,
    limit: TokenLimit,
    requests: impl IntoIterator<Item = (String, ChatRequest)>,
) -> Result<Vec<(PathBuf, usize)>, BatchError> {
    let mut ids = HashSet::new();
    let lines = requests.into_iter().map(|(id, request)| {
        if !ids.insert(id.clone()) {
            return Err(BatchError::SameId(id));
        }
        let line = json!({
            "custom_id": id, "method": "POST", "url": URL, "body": request.body(model, limit),
        });
        Ok(line.to_string())
    });
    write_parts(path, &mut lines.peekable(), MAX_REQUESTS, MAX_BYTES)
}

type Lines<I> = std::iter::Peekable<I>;

fn write_parts<I: Iterator<Item = Result<String, BatchError>>>(
    path: &Path,
    lines: &mut Lines<I>,
    max_requests: usize,
    max_bytes: usize,
) -> Result<Vec<(PathBuf, usize)>, BatchError> {
    let mut parts = Vec::new();
    while lines.peek().is_some() {
        let part = part(path, parts.len() + 1);
        let (mut count, mut bytes) = (0, 0);
        let mut wrong = None;
        let written = weights::write_whole(&part, |temporary| {
            let mut file = BufWriter::new(File::create(temporary)?);
            while let Some(line) = lines.next_if(|line| {
                let len = line.as_ref().map_or(0, |line| line.len() + 1);
                count == 0 || (count < max_requests && bytes + len <= max_bytes)
            }) {
                match line {
                    Ok(line) => {
                        writeln!(file, "{line}")?;
                        count += 1;
                        bytes += line.len() + 1;
                    }
                    Err(error) => {
                        wrong = Some(error);
                        return Err(io::Error::other("a request cannot be written"));
                    }
                }
            }
            file.flush()
        });
        if let Some(error) = wrong {
            return Err(error);
        }
        written.map_err(|source| BatchError::Write {
            path: part.clone(),
            source,
        })?;
        parts.push((part, count));
    }
    Ok(parts)
}

/// `requests.jsonl`, `requests-2.jsonl`, ….
fn part(path: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{number}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    path.with_file_name(name)
}

/// Reads a file that a batch API gave back, of replies or of errors, line by line: the id of each
/// request and what came of it.
///
/// # Errors
/// The file cannot be opened. An item is an error where a line cannot be read, is in another form,
/// or repeats an id; there is nothing after it.
pub fn read(path: &Path) -> Result<Outcomes, BatchError> {
    let file = File::open(path).map_err(|source| BatchError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(Outcomes {
        path: path.to_owned(),
        lines: BufReader::new(file),
        line: 0,
        seen: HashMap::new(),
        ended: false,
    })
}

/// What came of the requests of a batch, one after the other.
#[derive(Debug)]
pub struct Outcomes {
    path: PathBuf,
    lines: BufReader<File>,
    line: usize,
    /// The line of each id.
    seen: HashMap<String, usize>,
    ended: bool,
}

#[derive(Deserialize)]
struct Line {
    custom_id: String,
    #[serde(default)]
    response: Option<Response>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Response {
    status_code: u16,
    #[serde(default)]
    body: Value,
}

/// A request's id and what came of it.
pub type Outcome = (String, Result<ChatReply, ChatError>);

impl Iterator for Outcomes {
    type Item = Result<Outcome, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.outcome().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

impl Outcomes {
    /// The line that was read last, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    fn outcome(&mut self) -> Result<Option<Outcome>, BatchError> {
        let mut text = Vec::new();
        loop {
            self.line += 1;
            text.clear();
            let read = self.lines.read_until(b'\n', &mut text);
            let len = read.map_err(|source| BatchError::Read {
                path: self.path.clone(),
                source,
            })?;
            if len == 0 {
                return Ok(None);
            }
            if !text.trim_ascii().is_empty() {
                break;
            }
        }
        let line: Line = serde_json::from_slice(&text).map_err(|error| {
            self.wrong(format!(
                "it is no line of a batch's output, `{{custom_id, response, error}}`: {error}"
            ))
        })?;
        if let Some(first) = self.seen.insert(line.custom_id.clone(), self.line) {
            let id = &line.custom_id;
            return Err(self.wrong(format!("the id `{id}` stands in line {first} already")));
        }
        let outcome = match (line.response, line.error) {
            (Some(response), _) => response.outcome(),
            (None, Some(error)) => Err(Refusal::of(&error).hide(None).unanswered()),
            (None, None) => {
                return Err(self.wrong("it has neither a `response` nor an `error`".to_owned()));
            }
        };
        Ok(Some((line.custom_id, outcome)))
    }

    fn wrong(&self, reason: String) -> BatchError {
        BatchError::Line {
            path: self.path.clone(),
            line: self.line,
            reason,
        }
    }
}

impl Response {
    fn outcome(self) -> Result<ChatReply, ChatError> {
        if (200..300).contains(&self.status_code) {
            return ChatReply::from_raw(self.body);
        }
        let model = self.body.get("model").and_then(Value::as_str);
        let refusal = Refusal::in_body(&self.body).hide(None);
        Err(refusal.error(self.status_code, None, URL, model.unwrap_or("of the batch")))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_full_is_followed_by_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("all.jsonl");
        let parts = |lines: &[&str], max_requests, max_bytes| {
            let lines = lines.iter().map(|line| Ok((*line).to_owned()));
            let parts = write_parts(&path, &mut lines.peekable(), max_requests, max_bytes);
            let parts = parts.expect("written").into_iter();
            let text = |(part, count): (PathBuf, usize)| {
                let name = part.file_name().expect("a name").to_owned();
                (name, fs::read_to_string(part).expect("a file"), count)
            };
            parts.map(text).collect::<Vec<_>>()
        };
        let file = |name: &str, text: &str, count| (name.into(), text.to_owned(), count);
        assert_eq!(
            parts(&["a", "b", "c", "d", "e"], 2, 100),
            [
                file("all.jsonl", "a\nb\n", 2),
                file("all-2.jsonl", "c\nd\n", 2),
                file("all-3.jsonl", "e\n", 1),
            ]
        );
        // A line and its end have four bytes; one that is too long by itself is not held back.
        assert_eq!(
            parts(&["aaa", "bbb", "too long", "ccc"], 100, 8),
            [
                file("all.jsonl", "aaa\nbbb\n", 2),
                file("all-2.jsonl", "too long\n", 1),
                file("all-3.jsonl", "ccc\n", 1),
            ]
        );
        assert!(parts(&[], 2, 100).is_empty());
    }
}
