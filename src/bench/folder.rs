//! The folder of a model's answers to a benchmark, held by one process at a time.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use menagerie_core::weights::PARTIAL;

use super::about::About;
use super::error::BenchError;
use super::files::{read_error, write_error, write_whole};
use super::score::SCORE;
use crate::json::pretty_json;
use crate::lock::{FolderLock, LOCK};

/// What says that the folder is a benchmark's run.
pub(super) const RUN: &str = "run.json";

/// The folder of a benchmark's run.
#[derive(Debug)]
pub struct BenchFolder {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: FolderLock,
}

impl BenchFolder {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// It holds something else, another process works in it, or it cannot be written.
    pub fn open(path: &Path) -> Result<Self, BenchError> {
        fs::create_dir_all(path).map_err(|source| write_error(path, source))?;
        if !path.join(RUN).is_file() {
            let entries = fs::read_dir(path).map_err(|source| read_error(path, source))?;
            let foreign = |name: &str| name != LOCK && !name.starts_with(PARTIAL);
            let mut names = entries.flatten().map(|entry| entry.file_name());
            if names.any(|name| foreign(&name.to_string_lossy())) {
                return Err(BenchError::NotEmpty(path.to_owned()));
            }
        }
        let held = FolderLock::take(path);
        match held.map_err(|source| write_error(&path.join(LOCK), source))? {
            None => Err(BenchError::Locked(path.to_owned())),
            Some(lock) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes a score that is not that of the answers and reviews that are coming.
    pub(super) fn forget_score(&self) -> Result<(), BenchError> {
        let file = self.path.join(SCORE);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(write_error(&file, error)),
            _ => Ok(()),
        }
    }

    /// Writes down what the run is of, or checks that it is the run that is here.
    pub(super) fn begin(&self, about: &About) -> Result<(), BenchError> {
        let file = self.path.join(RUN);
        let before = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return write_whole(&file, &pretty_json(about));
            }
            Err(source) => return Err(read_error(&file, source)),
        };
        let before: About =
            serde_json::from_slice(&before).map_err(|error| BenchError::Broken {
                path: file.clone(),
                line: error.line(),
                reason: error.to_string(),
            })?;
        let differences = about.differences(&before);
        if !differences.is_empty() {
            return Err(BenchError::Differs {
                path: self.path.clone(),
                differences,
            });
        }
        if before.judge.is_none() && about.judge.is_some() {
            return write_whole(&file, &pretty_json(about));
        }
        Ok(())
    }
}
