//! What can end a sweep as a whole.

use std::path::PathBuf;

use menagerie_core::RecipeError;
use thiserror::Error;

use crate::runs::RunsError;
use crate::train::TrainError;

/// A sweep that cannot begin or go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The sweep file, or a recipe of it, is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    /// A run cannot be looked at.
    #[error(transparent)]
    Runs(#[from] RunsError),

    /// A file of a run cannot be used.
    #[error(transparent)]
    Train(#[from] TrainError),

    /// Another process works on the sweep.
    #[error("another process runs the sweep in `{}`; wait for it or stop it", .0.display())]
    Locked(PathBuf),

    /// The folder holds something else.
    #[error(
        "`{}` holds something that is no sweep; choose another folder with --out", .0.display()
    )]
    NoSweep(PathBuf),

    /// A run of another recipe lies where one of this sweep belongs.
    #[error(
        "`{}` was made by another recipe:{}\nTake another folder with --out, or remove that run",
        .run.display(), .changes.iter().map(|change| format!("\n  {change}")).collect::<String>()
    )]
    OtherRecipe {
        /// The run.
        run: PathBuf,
        /// How the recipes differ.
        changes: Vec<String>,
    },

    /// A file of the sweep cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },

    /// A file of the sweep cannot be written.
    #[error("cannot write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
}
