//! What all layouts' files say alike.

use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Table;

use super::{FolderError, FolderRecipe, Layout};
use crate::chat::{JINJA, Template};

/// The most that a `config.json` may take; real ones have a few thousand bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a JSON file.
///
/// # Errors
/// It cannot be read, is no JSON, or is far too large for a config.
pub fn read_json(path: &Path) -> Result<Value, FolderError> {
    let read = |source| FolderError::Read {
        path: path.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(read)?.len();
    if size > MAX_BYTES {
        let problem = format!("{size} bytes are no config; at most {MAX_BYTES} are read");
        return Err(FolderError::invalid(path, problem));
    }
    let bytes = std::fs::read(path).map_err(read)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| FolderError::invalid(path, format!("not JSON: {error}")))
}

/// The `model_type` that a config states.
pub(super) fn model_type(config: &Value) -> Option<&str> {
    config.get("model_type")?.as_str()
}

/// A text that is there and not empty.
pub(super) fn text_at<'c>(config: &'c Value, key: &str) -> Option<&'c str> {
    config.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// A model's name: its folder's.
pub(super) fn name(folder: &Path) -> String {
    let folder = absolute(folder);
    let name = folder.file_name().and_then(|name| name.to_str());
    name.unwrap_or("model").to_owned()
}

/// The dtype that a config states, as a recipe writes it: `dtype`, or `torch_dtype` before
/// transformers 5, of the model or its text part.
pub(super) fn dtype(config: &Value) -> Option<&'static str> {
    let parts = [Some(config), config.get("text_config")];
    let stated = parts
        .into_iter()
        .flatten()
        .find_map(|part| text_at(part, "dtype").or_else(|| text_at(part, "torch_dtype")))?;
    match stated.trim_start_matches("torch.") {
        "float32" => Some("f32"),
        "float16" => Some("f16"),
        "bfloat16" => Some("bf16"),
        _ => None,
    }
}

/// What a config in `folder` refers to: a folder relative to it or to the working directory, or
/// else the text itself, a hub id.
pub(super) fn reference(folder: &Path, text: &str) -> String {
    let candidates = [folder.join(text), PathBuf::from(text)];
    let found = candidates.iter().find(|path| path.exists());
    found.map_or_else(
        || text.to_owned(),
        |path| absolute(path).display().to_string(),
    )
}

/// Whether a text that is no path here may name a model on a hub, `owner/name`.
pub(super) fn may_be_hub_id(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.');
    text.split_once('/')
        .is_some_and(|(owner, name)| is_part(owner) && is_part(name) && !name.contains('/'))
}

/// The path from the root, without `..`.
pub(super) fn absolute(path: &Path) -> PathBuf {
    path.canonicalize()
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

/// The conversation template of a tokenizer's folder: its own if it brings one, or `usual`. One that
/// is broken is its own too, so that the error comes if it is used.
pub(super) fn chat(folder: &Path, usual: &'static str) -> &'static str {
    match Template::from_folder(folder) {
        Ok(None) => usual,
        _ => JINJA,
    }
}

/// A run folder's `model.toml`, its paths made absolute.
pub(super) fn run(file: &Path) -> Result<FolderRecipe, FolderError> {
    let text = std::fs::read_to_string(file).map_err(|source| FolderError::Read {
        path: file.to_owned(),
        source,
    })?;
    let mut table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| FolderError::invalid(file, error.to_string()))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    for component in crate::Component::ALL {
        let Some(part) = table
            .get_mut(component.name())
            .and_then(toml::Value::as_table_mut)
        else {
            continue;
        };
        for key in ["weights", "tokenizer", "adapter", "base"] {
            if let Some(toml::Value::String(path)) = part.get_mut(key) {
                *path = reference(folder, path);
            }
        }
    }
    Ok(FolderRecipe {
        layout: Layout::Run,
        file: file.to_owned(),
        table,
        unknown_tower: None,
    })
}
