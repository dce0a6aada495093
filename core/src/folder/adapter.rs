//! A LoRA adapter over a model: `adapter_config.json` with `adapter_model`, and, in the original
//! LLaVA, `non_lora_trainables.bin` beside it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::{absolute, may_be_hub_id, read_json, reference, text_at};
use super::original::{Places, describe, is_original, own_tokenizer};
use super::{FolderError, FolderRecipe, Layout, ModelPath};
use crate::checkpoint::owner;
use crate::component::Component;
use crate::weights::{Adapter, Shards};

/// PEFT's description of an adapter.
pub(super) const CONFIG: &str = "adapter_config.json";

pub(super) fn recipe_of(model: &ModelPath) -> Result<FolderRecipe, FolderError> {
    let folder = absolute(&model.path);
    let file = folder.join(CONFIG);
    let base = match &model.base {
        Some(base) => reference(&folder, base),
        None => base_of_adapter(&model.path)?,
    };
    if Path::new(&base).join(CONFIG).is_file() {
        let problem = format!(
            "its base, `{base}`, is an adapter too; merge that one first: `menagerie export`"
        );
        return Err(FolderError::invalid(&file, problem));
    }
    let own_config = folder.join("config.json");
    let config = if own_config.is_file() {
        read_json(&own_config)?
    } else {
        Value::Null
    };
    if is_original(&config) {
        let places = original_places(&folder, &base)?;
        return describe(&folder, own_config, &config, Layout::Adapter, &places);
    }
    // An adapter over a whole model: the base says what it is.
    let whole = ModelPath {
        path: PathBuf::from(&base),
        ..ModelPath::default()
    };
    let mut recipe = whole.recipe()?;
    for component in Component::ALL {
        let part = recipe.table.get_mut(component.name());
        if let Some(part) = part.and_then(toml::Value::as_table_mut)
            // A tower beside the base is none of the adapter's.
            && part.get("weights").and_then(toml::Value::as_str) == Some(base.as_str())
        {
            part.insert("adapter".to_owned(), folder.display().to_string().into());
        }
    }
    Ok(FolderRecipe {
        layout: Layout::Adapter,
        file,
        ..recipe
    })
}

/// What the adapter in `folder` says that it lies over: a path or a hub id.
///
/// # Errors
/// Its `adapter_config.json` cannot be read or says nothing of it.
pub fn base_of_adapter(folder: &Path) -> Result<String, FolderError> {
    let config = read_json(&folder.join(CONFIG))?;
    let base = text_at(&config, "base_model_name_or_path");
    let base = base.map(|base| reference(&absolute(folder), base));
    base.ok_or_else(|| FolderError::NoBase {
        path: folder.to_owned(),
        what: "an adapter",
    })
}

/// What an adapter's config names as its base, if that is no folder here.
pub(super) fn missing_base(folder: &Path) -> Option<String> {
    let adapter = read_json(&folder.join(CONFIG)).ok()?;
    let base = reference(
        &absolute(folder),
        text_at(&adapter, "base_model_name_or_path")?,
    );
    (!Path::new(&base).exists() && may_be_hub_id(&base)).then_some(base)
}

/// The original's: the projector comes whole with the adapter, the decoder is the base's.
fn original_places(folder: &Path, base: &str) -> Result<Places, FolderError> {
    let invalid =
        |error: crate::weights::WeightError| FolderError::invalid(folder, error.to_string());
    let adapter = Adapter::open(folder).map_err(invalid)?;
    let brings_tower = adapter
        .whole_names()
        .any(|name| owner(name) == Some(Component::Vision));
    let base_holds_tower = match Shards::open(base.as_ref()) {
        Ok(shards) => super::original::holds_tower(&shards),
        // A hub id that is not here yet.
        Err(_) => false,
    };
    let own = folder.display().to_string();
    Ok(Places {
        llm: base.to_owned(),
        projector: base.to_owned(),
        adapter: Some(own),
        base: None,
        tower: (brings_tower || base_holds_tower).then(|| PathBuf::from(base)),
        tokenizer: own_tokenizer(folder),
    })
}
