//! A benchmark's files: what it reads its questions from, what others predicted, what is submitted.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::chat::Turn;

/// Where a benchmark's files lie.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Files<'a> {
    /// What the user names: files, or the folder that the benchmark is published as.
    pub paths: &'a [PathBuf],
    /// The folder of its images, if the user names it.
    pub images: Option<&'a Path>,
    seen: Option<&'a Seen>,
}

/// The files that a benchmark read its questions from, whose hashes go beside its score.
#[derive(Debug, Default)]
pub struct Seen(RefCell<Vec<PathBuf>>);

impl Seen {
    /// The files, each once, sorted.
    #[must_use]
    pub fn into_files(self) -> Vec<PathBuf> {
        let mut files = self.0.into_inner();
        files.sort_unstable();
        files.dedup();
        files
    }
}

impl<'a> Files<'a> {
    /// Of the paths and the image folder that a user names.
    #[must_use]
    pub const fn new(paths: &'a [PathBuf], images: Option<&'a Path>) -> Self {
        Self {
            paths,
            images,
            seen: None,
        }
    }

    /// The same, and `seen` hears which files are read.
    #[must_use]
    pub const fn watched(self, seen: &'a Seen) -> Self {
        Self {
            seen: Some(seen),
            ..self
        }
    }

    /// Says that the questions are also read from a file that [`find`](Self::find) did not give and
    /// the user did not name.
    pub fn note(&self, file: &Path) {
        if let Some(seen) = self.seen {
            seen.0.borrow_mut().push(file.to_owned());
        }
    }

    /// The file called `name`: among the paths, or in a folder that is one of them.
    ///
    /// # Errors
    /// It is in none of them.
    pub fn find(&self, name: &str) -> Result<PathBuf, FilesError> {
        let found = self.paths.iter().find_map(|path| {
            if path.is_dir() {
                let inside = path.join(name);
                return inside.exists().then_some(inside);
            }
            let is_it = path.file_name().is_some_and(|file| file == name);
            is_it.then(|| path.clone())
        });
        let found = found.ok_or_else(|| FilesError::Missing {
            name: name.to_owned(),
            paths: self.paths.to_vec(),
        })?;
        self.note(&found);
        Ok(found)
    }
}

/// A question as a benchmark reads it from files of its own.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Item {
    /// Its id, unlike all others.
    pub id: String,
    /// What is said before the answer; the last turn is the question. Each
    /// [`IMAGE_MARK`](crate::chat::IMAGE_MARK) stands for one of `images`.
    pub turns: Vec<Turn>,
    /// The images, in the order of their marks.
    pub images: Vec<ItemImage>,
    /// The right answer; empty where it is not published.
    pub truth: String,
    /// What else is known, which the benchmark finds in [`Question::fields`](super::Question::fields).
    pub fields: Map<String, Value>,
}

impl Item {
    /// A question with one turn.
    pub fn new(id: impl Into<String>, question: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            turns: vec![Turn::human(question)],
            images: Vec::new(),
            truth: String::new(),
            fields: Map::new(),
        }
    }

    /// With an image, whose mark the turns must have.
    #[must_use]
    pub fn with_image(mut self, image: ItemImage) -> Self {
        self.images.push(image);
        self
    }

    /// With its right answer.
    #[must_use]
    pub fn with_truth(self, truth: impl Into<String>) -> Self {
        Self {
            truth: truth.into(),
            ..self
        }
    }

    /// With one more thing that is known of it.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }
}

/// An image of a benchmark.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ItemImage {
    /// A file.
    File(PathBuf),
    /// An encoded image that lies within another file.
    Bytes {
        /// What to call it in a message.
        name: String,
        /// The bytes of a PNG, JPEG, ….
        bytes: Arc<[u8]>,
    },
}

/// An answer that another program gave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prediction {
    /// The question's id.
    pub id: String,
    /// The answer.
    pub answer: String,
    /// A judge's reply to it, if the file holds one.
    pub review: Option<String>,
}

impl Prediction {
    /// An answer that nobody judged.
    pub fn new(id: impl Into<String>, answer: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            answer: answer.into(),
            review: None,
        }
    }

    /// With a judge's reply to it.
    #[must_use]
    pub fn reviewed(self, review: impl Into<String>) -> Self {
        Self {
            review: Some(review.into()),
            ..self
        }
    }
}

/// A file for the benchmark's authors or their server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Submission {
    /// Its name, which may have folders before it: `results/existence.txt`.
    pub name: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Submission {
    /// Of a name and bytes.
    pub fn new(name: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
        }
    }
}

/// A benchmark's files that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FilesError {
    /// A file is in none of the paths.
    #[error("there is no `{name}` in {}; name the folder that has it, or the file", list(.paths))]
    Missing {
        /// The file's name.
        name: String,
        /// Where it was looked for.
        paths: Vec<PathBuf>,
    },

    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },

    /// Something in a file is not as it must be.
    #[error("{}:{place}: {reason}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where in it: a line and column, a row, a key.
        place: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
}

impl FilesError {
    /// Something wrong at a place of a file.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "a place is a number or a text"
    )]
    pub fn content(path: &Path, place: impl ToString, reason: impl Into<String>) -> Self {
        Self::Content {
            path: path.to_owned(),
            place: place.to_string(),
            reason: reason.into(),
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    names.join(", ")
}

/// A file's text.
///
/// # Errors
/// It cannot be read, or is no UTF-8.
pub fn read_text(path: &Path) -> Result<String, FilesError> {
    fs::read_to_string(path).map_err(|source| FilesError::Read {
        path: path.to_owned(),
        source,
    })
}

/// A JSON file.
///
/// # Errors
/// It cannot be read, or is of another form; the error has line and column.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FilesError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| json_error(path, 1, &error))
}

/// A file of JSON lines, each with its number from 1; empty ones are passed over.
///
/// # Errors
/// The file cannot be read, or a line is of another form; the error has line and column.
pub fn read_json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<(usize, T)>, FilesError> {
    let text = read_text(path)?;
    let lines = (1..).zip(text.lines());
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            let value = serde_json::from_str(line);
            let value = value.map_err(|error| json_error(path, number, &error))?;
            Ok((number, value))
        })
        .collect()
}

fn json_error(path: &Path, first: usize, error: &serde_json::Error) -> FilesError {
    let line = first + error.line().saturating_sub(1);
    let text = error.to_string();
    let reason = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(reason, _)| reason);
    FilesError::content(path, format!("{line}:{}", error.column()), reason)
}

/// The first of a record's fields of these names that is a text or a number.
#[must_use]
pub fn first_word(record: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match record.get(*name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// The only one of them.
///
/// # Errors
/// None is there, or several are, of which nobody knows which is meant: what is wrong.
pub fn only_word(record: &Map<String, Value>, names: &[&str]) -> Result<String, String> {
    let there = |name: &&&str| first_word(record, &[**name]).is_some();
    let there: Vec<&str> = names.iter().filter(there).copied().collect();
    if there.len() > 1 {
        let there = there.join(" and ");
        return Err(format!(
            "{there} are there, and one of them is meant; leave that one"
        ));
    }
    let none = || format!("no text or number is called {}", names.join(" or "));
    first_word(record, names).ok_or_else(none)
}

/// Answers as LLaVA's scripts and most others write them: JSON lines with an id (`question_id` or `id`)
/// and an answer (`text`, `answer` or `prediction`). It is what a benchmark reads unless it says
/// otherwise.
///
/// # Errors
/// The file cannot be read, or is in another form.
pub fn json_lines_predictions(path: &Path) -> Result<Vec<Prediction>, FilesError> {
    let lines = read_json_lines::<Map<String, Value>>(path)?;
    lines
        .iter()
        .map(|(line, record)| {
            let wrong = |reason: String| FilesError::content(path, line, reason);
            let id = first_word(record, &["question_id", "id"]);
            let id = id
                .ok_or_else(|| wrong("no text or number is called question_id or id".to_owned()))?;
            let answer = only_word(record, &["text", "answer", "prediction"]);
            Ok(Prediction::new(id, answer.map_err(wrong)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Prediction>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("answers.jsonl");
        fs::write(&path, text).expect("written");
        let read = json_lines_predictions(&path).map_err(|error| error.to_string());
        read.map_err(|error| error.replace(&path.display().to_string(), "answers.jsonl"))
    }

    #[test]
    fn answers_are_read_and_none_is_guessed() {
        let text = "{\"id\": \"x\", \"question_id\": 7, \"text\": \"a dog\"}\n\n{\"id\": \"b\", \"prediction\": 2}";
        let read_back = [Prediction::new("7", "a dog"), Prediction::new("b", "2")];
        assert_eq!(read(text).as_deref(), Ok(&read_back[..]));
        for (text, error) in [
            (
                r#"{"id": "a", "text": "what?", "answer": "a dog"}"#,
                "answers.jsonl:1: text and answer are there, and one of them is meant; leave that one",
            ),
            (
                r#"{"id": "a", "text": null}"#,
                "answers.jsonl:1: no text or number is called text or answer or prediction",
            ),
            (
                r#"{"text": "a dog"}"#,
                "answers.jsonl:1: no text or number is called question_id or id",
            ),
            ("{\"id\": 1,\n", "answers.jsonl:1:9: EOF while parsing"),
        ] {
            let found = read(text).expect_err(error);
            assert!(found.starts_with(error), "{found}");
        }
    }
}
