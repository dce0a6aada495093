//! Run folders as they lie on the disk: what is in one, and how two differ.
//!
//! Nothing here writes into a run, and a run may go on meanwhile. What is half written, torn or of
//! another version is left out rather than an error: a table of runs is there to find out.

mod answers;
mod compare;
mod losses;
mod manifest;
mod page;
mod recipe;
mod summary;

pub use crate::train::Difference;
pub use answers::{ChangedAnswer, Changes};
pub use compare::{Comparison, FileDifference, LossPair, ScorePair};
pub use losses::StageLosses;
pub use summary::{RunState, RunSummary};

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::train::TrainError;

/// Runs that cannot be looked at.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunsError {
    /// The folder is not there, or may not be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },

    /// The folder is no run.
    #[error(
        "`{}` is no run: it has neither `manifest.json` nor `recipe.toml`; `menagerie runs {}` lists the runs in it, if there are any",
        .0.display(), .0.display()
    )]
    NoRun(PathBuf),

    /// A file of a run is there and cannot be read.
    #[error(transparent)]
    Train(#[from] TrainError),
}

/// The runs among the folders in `folder`, by their start, and the number of folders that are none.
///
/// # Errors
/// `folder` cannot be read. What cannot be read of a single run is left out of it.
pub fn list(folder: &Path) -> Result<(Vec<RunSummary>, usize), RunsError> {
    let read = |source| RunsError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut runs = Vec::new();
    let mut others = 0;
    for entry in fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        // A folder with a dot is hidden: the features of the runs' images lie in one.
        let is_hidden = |name: &OsStr| name.to_string_lossy().starts_with('.');
        if !path.is_dir() || path.file_name().is_some_and(is_hidden) {
            continue;
        }
        if is_run(&path) {
            runs.push(RunSummary::read(&path)?);
        } else {
            others += 1;
        }
    }
    runs.sort_by(|a, b| (a.started, &a.path).cmp(&(b.started, &b.path)));
    Ok((runs, others))
}

/// The run in `folder` with the smoothed loss of each of its stages.
///
/// # Errors
/// `folder` is no run, or a file of it is there and cannot be read.
pub fn with_losses(folder: &Path) -> Result<(RunSummary, Vec<StageLosses>), RunsError> {
    let run = summary::Run::read(folder)?;
    let steps: HashMap<&str, usize> = run
        .timeline
        .stages()
        .map(|(stage, _, steps)| (stage, steps))
        .collect();
    let losses = StageLosses::of(&run, |stage| steps.get(stage).copied().unwrap_or(0));
    Ok((run.summary, losses))
}

/// Whether `folder` was made by `train`, however far it came.
pub fn is_run(folder: &Path) -> bool {
    // A folder of another tool may have either of them and something else in it.
    manifest::RunManifest::read(folder).is_some()
        || (folder.join("recipe.toml").is_file() && recipe::read(folder).is_some())
}
