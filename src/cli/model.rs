//! The MODEL argument.

use std::path::{Path, PathBuf};

use menagerie_core::burn::tensor::Device;
use menagerie_core::model::RequestError;
use menagerie_core::{Model, Recipe};

use super::error::CliError;
use super::hub;

/// The model of a run folder, or of a recipe file that states weights.
pub(super) fn open(path: &Path, device: &Device) -> Result<Model, CliError> {
    let file = if path.is_dir() {
        path.join("model.toml")
    } else {
        path.to_owned()
    };
    if !path.exists() {
        let source = std::io::ErrorKind::NotFound.into();
        let path = path.to_owned();
        return Err(CliError::Read { path, source });
    }
    if !file.is_file() {
        return Err(CliError::NoModel {
            path: path.to_owned(),
        });
    }
    let mut recipe = Recipe::load(&file)?;
    hub::localise(&mut recipe)?;
    Ok(recipe.assemble(device)?)
}

/// The bytes of an image file.
pub(super) fn read_image(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::Read {
        path: path.to_owned(),
        source,
    })
}

/// A request's error, with the file of the image that it is about.
pub(super) fn request_error(error: RequestError, images: &[PathBuf]) -> CliError {
    match error {
        RequestError::Image { number, source } if number <= images.len() => CliError::Image {
            path: images[number - 1].clone(),
            source,
        },
        other => other.into(),
    }
}
