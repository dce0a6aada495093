//! What loading did.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

/// What a component found in its files. There is no list of what is missing: that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoadReport {
    /// The file or folder.
    pub path: PathBuf,
    /// The files that hold its tensors.
    pub files: Vec<PathBuf>,
    /// What the names of its tensors begin with.
    pub prefix: String,
    /// Tensors in the files, those of other components included.
    pub found: usize,
    /// Tensors loaded.
    pub loaded: usize,
    /// Numbers loaded.
    pub parameters: usize,
    /// Tensors loaded by the type of number they are stored in.
    pub stored: BTreeMap<&'static str, usize>,
    /// The type of number they are loaded as.
    pub dtype: &'static str,
    /// Tensors cast to it.
    pub cast: usize,
    /// Parameters that the files lack and may lack: they are drawn.
    pub drawn: Vec<String>,
    /// Names that the component knows and does not want.
    pub ignored: Vec<String>,
    /// Names that belong to other components.
    pub elsewhere: Vec<String>,
}
