//! What can end a benchmark early.

use std::io;
use std::path::PathBuf;

use menagerie_core::RecipeError;
use menagerie_core::benchmark::FilesError;
use menagerie_core::tokens::EncodeError;
use thiserror::Error;

use crate::endpoint::DriveError;
use crate::eval::EvalError;
use crate::journal::JournalError;

/// A benchmark that cannot be run, scored or compared.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Questions that cannot be read, asked or marked.
    #[error(transparent)]
    Eval(#[from] EvalError),

    /// The model's recipe cannot be written down.
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// Another process works in the folder.
    #[error("another process works in {}; wait for it, or name another folder with --out", .0.display())]
    Locked(PathBuf),

    /// The folder holds something else.
    #[error("{} holds something that is no benchmark's run; name another folder with --out", .0.display())]
    NotEmpty(PathBuf),

    /// The folder is of another run.
    #[error(
        "{} holds another run:{}\nname another folder with --out, or remove this one",
        .path.display(),
        list(.differences)
    )]
    Differs {
        /// The folder.
        path: PathBuf,
        /// What is not as it was, in words.
        differences: Vec<String>,
    },

    /// A file of the folder that is not as it was written.
    #[error("{}:{line}: {reason}; remove the folder, or name another with --out", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },

    /// Not a benchmark's run, or one without a score.
    #[error("{}: {reason}", .path.display())]
    NoScore {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },

    /// Someone asked to stop.
    #[error("stopped after {done} of {total} {what}; the same command goes on from there")]
    Interrupted {
        /// What was done so far,
        done: usize,
        /// of so many,
        total: usize,
        /// of these.
        what: &'static str,
    },

    /// A blind score that a judge would have to take.
    #[error("answers to `{0}` go to a judge, and there is no blind score of it; leave --blind out")]
    BlindJudged(String),

    /// Answers by others that need a judge.
    #[error("answers to `{0}` go to a judge; name one with --judge-model and --base-url")]
    NoJudge(String),

    /// A judge where none is needed.
    #[error("answers to `{0}` are marked without a judge; leave --judge-model out")]
    NeedlessJudge(String),

    /// The judge's endpoint cannot be used.
    #[error("the judge: {0}")]
    Judge(String),

    /// The judge's budget is spent.
    #[error(
        "the budget is spent after {done} of {total} reviews; with a larger one the same command goes on from there"
    )]
    OutOfBudget {
        /// Reviews that are there,
        done: usize,
        /// of so many.
        total: usize,
    },

    /// Answers that the judge did not see to, while all else is done.
    #[error(
        "{failed} of {total} reviews could not be had, and the score in {} is without them; the same command asks for them again; the first: {first}",
        .score.display()
    )]
    Unreviewed {
        /// Reviews that are missing,
        failed: usize,
        /// of so many.
        total: usize,
        /// Why the first is missing.
        first: String,
        /// The score's file.
        score: PathBuf,
    },

    /// Two answers to one question.
    #[error("{}: question `{id}` is answered twice; leave one answer", .path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The question.
        id: String,
    },

    /// Questions that nobody answered.
    #[error(
        "{}: {count} of {total} questions have no answer: {}; with --partial those that have one are scored",
        .path.display(),
        some(.first, *.count)
    )]
    Unanswered {
        /// The file.
        path: PathBuf,
        /// How many,
        count: usize,
        /// of so many.
        total: usize,
        /// Some of their ids.
        first: Vec<String>,
    },

    /// No answer to any question.
    #[error(
        "{}: none of its ids is a question's: it has {}, and the questions are {}",
        .path.display(),
        some(.found, .found.len()),
        some(.wanted, .wanted.len())
    )]
    OtherQuestions {
        /// The file.
        path: PathBuf,
        /// Some of its ids.
        found: Vec<String>,
        /// Some of the questions' ids.
        wanted: Vec<String>,
    },

    /// Data in which ids say nothing.
    #[error("two questions have the id `{0}`, so no answer can be told from it; give each its own")]
    RepeatedId(String),

    /// A benchmark that wants to write elsewhere.
    #[error("the benchmark `{benchmark}` names a file `{}` that lies outside its folder", .name.display())]
    Submission {
        /// The benchmark.
        benchmark: String,
        /// The file.
        name: PathBuf,
    },
}

impl From<FilesError> for BenchError {
    fn from(error: FilesError) -> Self {
        EvalError::from(error).into()
    }
}

impl BenchError {
    pub(super) fn encode(id: &str, source: EncodeError) -> Self {
        let id = id.to_owned();
        EvalError::Encode { id, source }.into()
    }
}

impl From<DriveError<BenchError>> for BenchError {
    fn from(error: DriveError<BenchError>) -> Self {
        match error {
            DriveError::Work(error) => error,
            other => Self::Judge(crate::data::chain(&other)),
        }
    }
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

/// Ids of which there may be more.
fn some(ids: &[String], count: usize) -> String {
    let quoted: Vec<String> = ids.iter().map(|id| format!("`{id}`")).collect();
    let more = if count > ids.len() { ", …" } else { "" };
    format!("{}{more}", quoted.join(", "))
}

impl From<JournalError> for BenchError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Read { path, source } => Self::Read { path, source },
            JournalError::Write { path, source } => Self::Write { path, source },
            JournalError::Line { path, line, reason } => Self::Broken { path, line, reason },
        }
    }
}
