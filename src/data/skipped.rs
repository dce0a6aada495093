//! Samples that cannot be learned from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::{DataError, Fault, chain};

/// A sample that cannot be learned from: a line of a run's `skipped.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Skipped {
    /// The data file.
    pub file: PathBuf,
    /// The sample's id.
    pub id: String,
    /// What is wrong, in one word.
    pub fault: Fault,
    /// What is wrong, in a sentence.
    pub reason: String,
}

impl Skipped {
    /// What `error` says of sample `id` of `file`; `None` if more than the sample is wrong.
    pub(super) fn of(error: &DataError, file: PathBuf, id: &str) -> Option<Self> {
        let (fault, reason) = match error {
            DataError::Sample { source, .. } => (source.fault()?, chain(&**source)),
            // A record's own, as it is asked for record by record.
            DataError::Json { .. } => (Fault::Text, chain(error)),
            _ => return None,
        };
        Some(Self {
            file,
            id: id.to_owned(),
            fault,
            reason,
        })
    }

    /// A file of which nothing can be used.
    pub(super) fn file(path: PathBuf, error: &DataError) -> Self {
        Self {
            file: path,
            id: String::new(),
            fault: Fault::File,
            reason: chain(error),
        }
    }
}
