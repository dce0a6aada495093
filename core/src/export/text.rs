//! Tokenizer, template, image processor and generation config of an export.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::folder::{write, write_json};
use super::hf::IMAGE;
use super::{Export, ExportError};
use crate::image::Resize;
use crate::model::Model;
use crate::recipe::Recipe;
use crate::tokens::Tokenizer;

impl Export<'_> {
    /// The tokenizer's files: those that the model has, as they are, if they say all that is
    /// needed, or else new ones.
    pub(super) fn write_text(&self, tokenizer: &Tokenizer) -> Result<(), ExportError> {
        copy_tokenizer(self.recipe, self.model, self.folder)?;
        let same = tokenizer.vocab_size() == self.model.tokenizer().vocab_size();
        let has_json = self.folder.join("tokenizer.json").is_file();
        let has_config = self.folder.join("tokenizer_config.json").is_file();
        if !same || !has_json {
            let text = tokenizer.to_json().map_err(ExportError::Tokenizer)?;
            write(&self.folder.join("tokenizer.json"), text.as_bytes())?;
        }
        let config = self.folder.join("tokenizer_config.json");
        if !same || !has_config {
            write_json(&config, &tokenizer.to_config())?;
        } else {
            name_known_class(&config)?;
        }
        if !same {
            // They would speak of the smaller vocabulary.
            for name in ["special_tokens_map.json", "added_tokens.json"] {
                let stale = self.folder.join(name);
                if stale.is_file() {
                    fs::remove_file(&stale).map_err(|source| ExportError::Io {
                        path: stale.clone(),
                        source,
                    })?;
                }
            }
        }
        match self.model.template().to_jinja() {
            Some(source) => write(&self.folder.join("chat_template.jinja"), source.as_bytes()),
            None => Ok(()),
        }
    }

    /// `preprocessor_config.json`, and `processor_config.json` around it.
    pub(super) fn write_processor(
        &self,
        vision: &Map<String, Value>,
        selection: Option<Value>,
    ) -> Result<(), ExportError> {
        let images = &self.model.configured().images;
        self.write_image_processor(images.resize)?;
        let class = match images.resize {
            Resize::AnyRes => "LlavaNextProcessor",
            _ => "LlavaProcessor",
        };
        let patch = vision.get("patch_size").and_then(Value::as_u64);
        let patch = patch.unwrap_or(1).max(1);
        // Of the images as they come, whatever size the weights' own config states.
        let side = self.model.configured().vision_spec.image_size as u64 / patch;
        let mut config = Map::new();
        config.insert("processor_class".to_owned(), json!(class));
        config.insert("image_token".to_owned(), json!(IMAGE));
        config.insert("patch_size".to_owned(), patch.into());
        // The processor counts the patches, adds these, and takes one off for `default`.
        let taken_off = u64::from(selection != Some(json!("full")));
        let extra = self.model.visual_tokens() as u64 + taken_off;
        let extra = extra.saturating_sub(side * side);
        config.insert("num_additional_image_tokens".to_owned(), extra.into());
        if let Some(selection) = selection {
            config.insert("vision_feature_select_strategy".to_owned(), selection);
        }
        write_json(&self.folder.join("processor_config.json"), &config.into())
    }

    pub(super) fn write_image_processor(&self, resize: Resize) -> Result<(), ExportError> {
        let processor = self.model.image_processor(Some(resize)).to_hf();
        write_json(&self.folder.join("preprocessor_config.json"), &processor)
    }

    /// The `generation_config.json` that the model came with, or one with its special tokens.
    pub(super) fn write_generation_config(&self, tokenizer: &Tokenizer) -> Result<(), ExportError> {
        let path = self.folder.join("generation_config.json");
        if let Some(file) = self.recipe.generation_config_path() {
            return write(&path, &read(&file)?);
        }
        let mut config = Map::new();
        let ends = self.model.end_tokens();
        let ids = [
            ("bos_token_id", tokenizer.bos()),
            ("pad_token_id", tokenizer.pad()),
        ];
        for (key, id) in ids {
            if let Some(id) = id {
                config.insert(key.to_owned(), id.into());
            }
        }
        match ends {
            [] => {}
            [only] => drop(config.insert("eos_token_id".to_owned(), (*only).into())),
            several => drop(config.insert("eos_token_id".to_owned(), several.into())),
        }
        write_json(&path, &config.into())
    }
}

/// Merges as `a b` and not as pairs: the `tokenizers` library of the original's time knows no other.
/// A merge with a space in it has no such form; that file stays as it is.
pub(super) fn write_old_merges(folder: &Path) -> Result<(), ExportError> {
    let path = folder.join("tokenizer.json");
    let invalid = |error: String| ExportError::Tokenizer(format!("{}: {error}", path.display()));
    let mut json: Value =
        serde_json::from_slice(&read(&path)?).map_err(|error| invalid(error.to_string()))?;
    let Some(merges) = json
        .pointer_mut("/model/merges")
        .and_then(Value::as_array_mut)
    else {
        return Ok(());
    };
    let joined = merges
        .iter()
        .map(|merge| match merge.as_array()?.as_slice() {
            [Value::String(left), Value::String(right)] => {
                let fits = !left.contains(' ') && !right.contains(' ');
                fits.then(|| Value::String(format!("{left} {right}")))
            }
            _ => None,
        });
    let Some(joined) = joined.collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    *merges = joined;
    write_json(&path, &json)
}

/// transformers 5 calls the class that takes `tokenizer.json` as it is by a name that older versions
/// do not know; all know the other.
fn name_known_class(config: &Path) -> Result<(), ExportError> {
    let invalid = |error: String| ExportError::Tokenizer(format!("{}: {error}", config.display()));
    let mut json: Value =
        serde_json::from_slice(&read(config)?).map_err(|error| invalid(error.to_string()))?;
    if json.get("tokenizer_class") != Some(&json!("TokenizersBackend")) {
        return Ok(());
    }
    json["tokenizer_class"] = json!("PreTrainedTokenizerFast");
    write_json(config, &json)
}

/// Copies the files that a model's tokenizer was read from.
pub(super) fn copy_tokenizer(
    recipe: &Recipe,
    model: &Model,
    folder: &Path,
) -> Result<(), ExportError> {
    let copies = recipe.tokenizer_path().map(|path| Tokenizer::copies(&path));
    let copies = copies.transpose();
    let copies = copies.map_err(|error| ExportError::Tokenizer(error.to_string()))?;
    for (name, bytes) in copies.iter().flatten() {
        write(&folder.join(name), bytes)?;
    }
    if copies.is_none_or(|copies| copies.is_empty()) {
        let text = model
            .tokenizer()
            .to_json()
            .map_err(ExportError::Tokenizer)?;
        write(&folder.join("tokenizer.json"), text.as_bytes())?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, ExportError> {
    fs::read(path).map_err(|source| ExportError::Io {
        path: path.to_owned(),
        source,
    })
}
