//! What can end the making of instruction data.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use menagerie_core::benchmark::FilesError;
use thiserror::Error;

use crate::endpoint::DriveError;
use crate::endpoint::batch::BatchError;
use crate::journal::JournalError;

/// Instruction data that cannot be made, or a folder of it that cannot be gone on with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InstructError {
    /// Captions, boxes or contexts that cannot be read.
    #[error(transparent)]
    Input(#[from] FilesError),

    /// Nothing can be made of the input.
    #[error(
        "no image of the input has a caption, and a sample is made of captions; {left_out} have only boxes or nothing"
    )]
    NoContext {
        /// Images without a caption.
        left_out: usize,
    },

    /// Nothing is to be made.
    #[error("the shares come to no sample; ask for more of them or give larger counts")]
    NoSample,

    /// An image that is to be copied is not there.
    #[error("the image {} is not there, nor are {others} more of {total}", .path.display())]
    NoImage {
        /// The file.
        path: PathBuf,
        /// How many more are missing.
        others: usize,
        /// How many are needed.
        total: usize,
    },

    /// A prompt that is missing, broken or without something that it must have.
    #[error("{place}: {reason}")]
    Prompt {
        /// The file, and the line if it is known.
        place: String,
        /// What is wrong and what is allowed.
        reason: String,
    },

    /// Prompts are to be written where some are.
    #[error("{} is there; prompts are written to a new folder", .0.display())]
    PromptsExist(PathBuf),

    /// A folder that holds something else.
    #[error("`{}` holds something that is no run of `menagerie instruct`; choose another folder", .0.display())]
    Foreign(PathBuf),

    /// Another process works in the folder.
    #[error("another process works in `{}`; wait for it or stop it", .0.display())]
    Locked(PathBuf),

    /// The run in the folder was begun otherwise.
    #[error(
        "`{}` was begun otherwise:{}\nGo on with what it was begun with, or begin anew in another folder",
        .folder.display(), .changes.iter().map(|change| format!("\n  {change}")).collect::<String>()
    )]
    OtherRun {
        /// The run's folder.
        folder: PathBuf,
        /// What is not as it was.
        changes: Vec<String>,
    },

    /// A file of the run that was changed or damaged.
    #[error(
        "{}:{line}: {reason}; put the file back as it was, or begin anew in another folder",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },

    /// A batch's reply to something that the run does not ask.
    #[error(
        "{}: `{id}` is no request of this run; read the batches that `--batch write` wrote for it",
        .path.display()
    )]
    OtherBatch {
        /// The batch's output.
        path: PathBuf,
        /// The request's id.
        id: String,
    },

    /// A batch that cannot be written or read.
    #[error(transparent)]
    Batch(#[from] BatchError),

    /// The endpoint answers no request.
    #[error(transparent)]
    Asking(Box<DriveError<InstructError>>),

    /// A shard that our own reader would not take.
    #[error("the image of `{id}` is called `{image}`, and a shard's images end in {}", .allowed.join(", "))]
    ImageKind {
        /// The sample.
        id: String,
        /// The image.
        image: String,
        /// The endings.
        allowed: Vec<String>,
    },

    /// A file cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },

    /// A file cannot be written.
    #[error("cannot write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
}

impl InstructError {
    pub(super) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn prompt(place: &dyn Display, reason: impl Into<String>) -> Self {
        Self::Prompt {
            place: place.to_string(),
            reason: reason.into(),
        }
    }
}

impl From<JournalError> for InstructError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Read { path, source } => Self::Read { path, source },
            JournalError::Write { path, source } => Self::Write { path, source },
            JournalError::Line { path, line, reason } => Self::Damaged { path, line, reason },
        }
    }
}
