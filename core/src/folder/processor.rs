//! How a folder wants its images prepared: `processor_config.json` and `preprocessor_config.json`.

use std::path::Path;

use serde_json::Value;
use toml::Table;

use super::FolderError;
use super::config::read_json;
use crate::image::{ImageProcessor, Resize};
use crate::recipe::ImagesTable;

/// The files that may say so. What transformers 5 saves for a processor has all in the first.
const FILES: [&str; 2] = ["preprocessor_config.json", "processor_config.json"];

/// The processor that a folder's files describe; nothing if there is no such file.
pub(super) fn processor(folder: &Path) -> Result<Option<ImageProcessor>, FolderError> {
    for name in FILES {
        let path = folder.join(name);
        if !path.is_file() {
            continue;
        }
        let config = read_json(&path)?;
        // `processor_config.json` may be about texts alone.
        let says = [
            "image_processor",
            "image_processor_type",
            "image_mean",
            "crop_size",
            "size",
        ];
        if !says
            .iter()
            .any(|key| config.get(key).is_some_and(|value| !value.is_null()))
        {
            continue;
        }
        let processor = ImageProcessor::from_hf(&config.to_string());
        return processor
            .map(Some)
            .map_err(|error| FolderError::invalid(&path, error.to_string()));
    }
    Ok(None)
}

/// States in `[vision]` what a processor does, `resize` in place of its own if given.
pub(super) fn state(vision: &mut Table, processor: &ImageProcessor, resize: Option<Resize>) {
    let resize = resize.unwrap_or(processor.resize);
    vision.insert("resize".to_owned(), resize.to_string().into());
    let images = Table::try_from(ImagesTable::of(processor)).expect("numbers and a word are TOML");
    vision.insert("images".to_owned(), images.into());
}

/// How the original makes images square: `pad`, or the processor's own way.
pub(super) fn original_resize(config: &Value, file: &Path) -> Result<Option<Resize>, FolderError> {
    match config.get("image_aspect_ratio").and_then(Value::as_str) {
        Some("pad") => Ok(Some(Resize::Pad)),
        None | Some("square") => Ok(None),
        Some(other) => {
            let problem = format!(
                "`image_aspect_ratio` is `{other}`, which is not read yet; `pad`, `square` and none are"
            );
            Err(FolderError::invalid(file, problem))
        }
    }
}
