//! What loading did.

use std::path::PathBuf;

use serde::Serialize;

/// What a component found in its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoadReport {
    /// The file or folder.
    pub path: PathBuf,
    /// The files that hold its tensors.
    pub files: Vec<PathBuf>,
    /// What stood before the keys.
    pub prefix: &'static str,
    /// Tensors loaded.
    pub loaded: usize,
    /// Numbers loaded.
    pub parameters: usize,
    /// Tensors cast to the recipe's dtype.
    pub cast: usize,
    /// Keys that the component knows and does not want.
    pub ignored: Vec<String>,
    /// Keys under other prefixes, which belong to other components.
    pub elsewhere: usize,
}
