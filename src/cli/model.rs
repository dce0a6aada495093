//! The MODEL argument.

use std::path::Path;

use menagerie_core::burn::tensor::Device;
use menagerie_core::{Model, Recipe};

use super::error::CliError;

/// The model of a run folder, or of a recipe file that states weights.
pub(super) fn open(path: &Path, device: &Device) -> Result<Model, CliError> {
    let file = if path.is_dir() {
        path.join("model.toml")
    } else {
        path.to_owned()
    };
    if !file.is_file() {
        return Err(CliError::NoModel {
            path: path.to_owned(),
        });
    }
    Ok(Recipe::load(&file)?.assemble(device)?)
}

/// The bytes of an image file.
pub(super) fn read_image(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::Read {
        path: path.to_owned(),
        source,
    })
}
