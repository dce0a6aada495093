//! Why data cannot be reviewed.

use std::path::PathBuf;

use thiserror::Error;

use crate::data::DataError;

/// A run folder or a data file that cannot be reviewed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// The folder is no run, or one that wrote nothing yet.
    #[error(
        "{}: no samples.jsonl is in it; name a folder in which `menagerie instruct` came to its end or was stopped, or a .json or .jsonl in LLaVA's format",
        .path.display()
    )]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// The file is of another kind.
    #[error(
        "{}: data in LLaVA's format is a .json, .jsonl or .ndjson; `menagerie data show` reads shards and Parquet files",
        .path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read, or what is in it is not what it should be.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}
