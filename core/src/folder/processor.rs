//! How a folder wants its images prepared: `processor_config.json` and `preprocessor_config.json`.

use std::path::Path;

use serde_json::Value;
use toml::Table;

use super::FolderError;
use super::config::read_json;
use crate::image::{ImageProcessor, Resize, pinpoints};
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

/// How a whole model's config wants its images made square, where that is not the processor's own
/// way.
pub(super) struct Squaring {
    resize: Resize,
    /// Resolutions, `[height, width]`.
    pinpoints: Option<Vec<[usize; 2]>>,
}

/// States in `[vision]` what a folder's processor does, and what its model's config says besides.
pub(super) fn state(
    vision: &mut Table,
    processor: Option<ImageProcessor>,
    squaring: Option<Squaring>,
) {
    let images = match (processor, &squaring) {
        (None, None) => return,
        (None, Some(squaring)) => ImagesTable {
            pinpoints: squaring.pinpoints.clone(),
            ..ImagesTable::default()
        },
        (Some(mut processor), squaring) => {
            if let Some(squaring) = squaring {
                processor.resize = squaring.resize;
                let own = squaring.pinpoints.clone();
                processor.pinpoints = own.unwrap_or(processor.pinpoints);
            }
            vision.insert("resize".to_owned(), processor.resize.to_string().into());
            ImagesTable::of(&processor)
        }
    };
    if let Some(squaring) = squaring {
        vision.insert("resize".to_owned(), squaring.resize.to_string().into());
    }
    let images = Table::try_from(images).expect("numbers and words are TOML");
    if !images.is_empty() {
        vision.insert("images".to_owned(), images.into());
    }
}

/// `LlavaNextForConditionalGeneration`'s resolutions, which its processor must have too.
pub(super) fn next_squaring(
    config: &Value,
    file: &Path,
    processor: Option<&ImageProcessor>,
) -> Result<Squaring, FolderError> {
    let stated = config
        .get(PINPOINTS)
        .filter(|stated| !stated.is_null())
        .map(|stated| {
            let problem = || format!("`{PINPOINTS}` is {stated}, no list of `[height, width]`");
            pinpoints(stated).ok_or_else(|| FolderError::invalid(file, problem()))
        });
    let stated = stated.transpose()?;
    let own = processor.filter(|processor| processor.resize == Resize::AnyRes);
    let own = own.map(|processor| processor.pinpoints.clone());
    if let (Some(stated), Some(own)) = (&stated, &own)
        && stated != own
    {
        let problem =
            format!("`{PINPOINTS}` is {stated:?}, but the folder's image processor has {own:?}");
        return Err(FolderError::invalid(file, problem));
    }
    Ok(Squaring {
        resize: Resize::AnyRes,
        pinpoints: stated.or(own),
    })
}

const PINPOINTS: &str = "image_grid_pinpoints";

/// How the original makes images square: `pad`, `anyres`, or the processor's own way (none).
pub(super) fn original_squaring(
    config: &Value,
    file: &Path,
) -> Result<Option<Squaring>, FolderError> {
    match config.get("image_aspect_ratio").and_then(Value::as_str) {
        Some("pad") => Ok(Some(Squaring {
            resize: Resize::Pad,
            pinpoints: None,
        })),
        Some("anyres") => original_anyres(config, file).map(Some),
        None | Some("square") => Ok(None),
        Some(other) => {
            let problem = format!(
                "`image_aspect_ratio` is `{other}`, which is not read; `pad`, `square`, `anyres` and none \
                are"
            );
            Err(FolderError::invalid(file, problem))
        }
    }
}

/// The original's pinpoints are `[width, height]`, in a list or in the text of one.
fn original_anyres(config: &Value, file: &Path) -> Result<Squaring, FolderError> {
    const MERGE: &str = "mm_patch_merge_type";
    let merge = config.get(MERGE).and_then(Value::as_str).unwrap_or("flat");
    if merge != "spatial_unpad" {
        let problem =
            format!("`{MERGE}` is `{merge}`, which is not read with `anyres`; `spatial_unpad` is");
        return Err(FolderError::invalid(file, problem));
    }
    let stated = config.get(PINPOINTS).unwrap_or(&Value::Null);
    let list = match stated.as_str() {
        None => pinpoints(stated),
        Some(text) => {
            let text = text.replace('(', "[").replace(')', "]");
            let list = serde_json::from_str(&text).ok();
            list.as_ref().and_then(pinpoints)
        }
    };
    let list = list.ok_or_else(|| {
        let problem = format!("`{PINPOINTS}` is {stated}, no list of `[width, height]`");
        FolderError::invalid(file, problem)
    })?;
    let turned = list.into_iter().map(|[width, height]| [height, width]);
    Ok(Squaring {
        resize: Resize::AnyRes,
        pinpoints: Some(turned.collect()),
    })
}
