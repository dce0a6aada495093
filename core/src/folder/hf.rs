//! Hugging Face's `LlavaForConditionalGeneration` and `LlavaNextForConditionalGeneration`.

use std::path::PathBuf;

use serde_json::Value;

use super::config::{chat, model_type};
use super::processor::{next_squaring, processor, state};
use super::{FolderError, FolderRecipe, Layout, ModelPath, component, recipe, text};
use crate::component::Component;
use crate::error::BuildError;
use crate::plugin;

pub(super) fn is_hf(config: &Value) -> bool {
    let is_known = matches!(model_type(config), Some("llava" | NEXT));
    is_known && config.get("text_config").is_some()
}

/// LLaVA-NeXT's `model_type`.
const NEXT: &str = "llava_next";

pub(super) fn recipe_of(
    model: &ModelPath,
    file: PathBuf,
    config: &Value,
) -> Result<FolderRecipe, FolderError> {
    let at = |source: BuildError| FolderError::Plugin {
        path: file.clone(),
        source,
    };
    // What transformers assumes where a part does not say what it is (`LlavaConfig`).
    let part = |key, default| config.get(key).and_then(model_type).unwrap_or(default);
    let encoder = plugin::encoder_of(part("vision_config", "clip_vision_model")).map_err(at)?;
    let llm = plugin::decoder_of(part("text_config", "llama")).map_err(at)?;
    let (projector, options) = plugin::projector_of(config).map_err(at)?;
    let weights = text(&model.path);

    let mut vision = component([
        ("type", encoder.info.name.into()),
        ("weights", weights.clone()),
    ]);
    let processor = processor(&model.path)?;
    let squaring = match model_type(config) {
        Some(NEXT) => Some(next_squaring(config, &file, processor.as_ref())?),
        _ => None,
    };
    // An encoder for images of any size takes those that the model was trained with.
    if encoder.info.choices.contains(&"image_size")
        && let Some(size) = processor.as_ref().map(|processor| processor.size)
        && let Ok(size) = i64::try_from(size)
    {
        vision.insert("image_size".to_owned(), size.into());
    }
    state(&mut vision, processor, squaring);
    let mut projector = component([
        ("type", projector.info.name.into()),
        ("weights", weights.clone()),
    ]);
    projector.extend(options);
    let llm = component([
        ("type", llm.info.name.into()),
        ("weights", weights),
        ("chat", chat(&model.path, "hf-llava").into()),
    ]);
    let tables = [
        (Component::Vision, vision),
        (Component::Projector, projector),
        (Component::Llm, llm),
    ];
    Ok(FolderRecipe {
        layout: Layout::Hf,
        table: recipe(&model.path, config, tables),
        file,
        unknown_tower: None,
    })
}
