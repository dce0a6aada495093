//! The resolved recipe of a run.

use std::fs;
use std::path::Path;

use toml::Table;

/// The recipe of a run, if it is there and TOML.
pub(super) fn read(run: &Path) -> Option<Table> {
    let text = fs::read_to_string(run.join("recipe.toml")).ok()?;
    text.parse().ok()
}
