//! The original LLaVA: a decoder's folder whose `config.json` has `mm_*` keys.

use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Table;

use super::config::{absolute, chat, reference, text_at};
use super::processor::{original_squaring, processor, state};
use super::tower::{Tower, place, tower};
use super::{FolderError, FolderRecipe, Layout, ModelPath, component, recipe};
use crate::checkpoint::owner;
use crate::component::Component;
use crate::error::BuildError;
use crate::plugin;
use crate::weights::{Shards, WeightError};

/// The file that training the projector alone leaves.
pub const PROJECTOR_FILES: [&str; 2] = ["mm_projector.bin", "mm_projector.safetensors"];

pub(super) fn is_original(config: &Value) -> bool {
    config.get("mm_vision_tower").is_some()
}

/// Where the weights of an original model lie.
pub(super) struct Places {
    /// The folder of the decoder's weights, or a hub id.
    pub llm: String,
    /// The folder of the projector's.
    pub projector: String,
    /// A LoRA adapter over both.
    pub adapter: Option<String>,
    /// What the weights of both are differences to.
    pub base: Option<String>,
    /// Where the tower lies, if inside.
    pub tower: Option<PathBuf>,
    /// Where the tokenizer lies, if not beside the decoder's weights.
    pub tokenizer: Option<String>,
}

pub(super) fn recipe_of(
    model: &ModelPath,
    file: PathBuf,
    config: &Value,
) -> Result<FolderRecipe, FolderError> {
    let folder = absolute(&model.path);
    let own = folder.display().to_string();
    let base = model.base.as_ref().map(|base| reference(&folder, base));
    let alone = PROJECTOR_FILES
        .iter()
        .any(|name| folder.join(name).is_file());
    let weights = Shards::open(&folder);
    let (layout, places) = match weights {
        // Only the projector's file.
        Err(WeightError::NotFound { .. }) if alone => {
            let base = base.or_else(|| {
                let named = text_at(config, "_name_or_path")?;
                Some(reference(&folder, named))
            });
            let llm = base.ok_or_else(|| FolderError::NoBase {
                path: model.path.clone(),
                what: "a projector alone",
            })?;
            let places = Places {
                llm: llm.clone(),
                projector: own,
                adapter: None,
                base: None,
                tower: None,
                tokenizer: own_tokenizer(&folder),
            };
            (Layout::Projector, places)
        }
        Err(error) => return Err(FolderError::invalid(&folder, error.to_string())),
        Ok(shards) => {
            if model.delta && base.is_none() {
                return Err(FolderError::NoBase {
                    path: model.path.clone(),
                    what: "a folder of delta weights",
                });
            }
            let places = Places {
                tokenizer: own_tokenizer(&folder).or_else(|| base.clone()),
                llm: own.clone(),
                projector: own,
                adapter: None,
                base: base.filter(|_| model.delta),
                tower: holds_tower(&shards).then(|| folder.clone()),
            };
            (Layout::Original, places)
        }
    };
    describe(&folder, file, config, layout, &places)
}

/// The recipe of an original config over weights in their places.
pub(super) fn describe(
    folder: &Path,
    file: PathBuf,
    config: &Value,
    layout: Layout,
    places: &Places,
) -> Result<FolderRecipe, FolderError> {
    let at = |source: BuildError| FolderError::Plugin {
        path: file.clone(),
        source,
    };
    let llm = plugin::decoder_of(plugin::decoder_type(config)).map_err(at)?;
    let (projector, options) = plugin::projector_of(config).map_err(at)?;
    let with_adapter = |table: &mut Table| {
        if let Some(adapter) = &places.adapter {
            table.insert("adapter".to_owned(), adapter.as_str().into());
        }
        if let Some(base) = &places.base {
            table.insert("base".to_owned(), base.as_str().into());
        }
    };

    let mut unknown_tower = None;
    let mut vision = match tower(folder, &file, config, places.tower.as_deref())? {
        Tower::Known(plugin, mut table) => {
            let choices = plugin.info.from_hf(config).map_err(at)?;
            let mut choices = choices.into_iter();
            table.extend(
                choices
                    .by_ref()
                    .filter(|(key, _)| plugin.info.choices.contains(&key.as_str())),
            );
            table
        }
        Tower::Unknown(name) => {
            unknown_tower = Some(name);
            Table::new()
        }
    };
    let squaring = original_squaring(config, &file)?;
    let processor = processor(Path::new(&place(folder, config)))?;
    state(&mut vision, processor, squaring);
    if places.tower.is_some() {
        with_adapter(&mut vision);
    }

    let mut projector = component([
        ("type", projector.info.name.into()),
        ("weights", places.projector.as_str().into()),
    ]);
    projector.extend(options);
    // The projector that is not in a delta's base is whole in the delta.
    if layout != Layout::Projector {
        with_adapter(&mut projector);
    }

    let tokenizer = places.tokenizer.as_deref().unwrap_or(&places.llm);
    let mut llm = component([
        ("type", llm.info.name.into()),
        ("weights", places.llm.as_str().into()),
        (
            "chat",
            chat(Path::new(tokenizer), usual_chat(llm.info.name)).into(),
        ),
    ]);
    with_adapter(&mut llm);
    if let Some(tokenizer) = &places.tokenizer {
        llm.insert("tokenizer".to_owned(), tokenizer.as_str().into());
    }
    if config["mm_use_im_start_end"].as_bool() == Some(true) {
        let wrap = toml::Value::from(vec!["<im_start>", "<im_end>"]);
        llm.insert("image_wrap".to_owned(), wrap);
    }
    let tables = [
        (Component::Vision, vision),
        (Component::Projector, projector),
        (Component::Llm, llm),
    ];
    Ok(FolderRecipe {
        layout,
        table: recipe(folder, config, tables),
        file,
        unknown_tower,
    })
}

/// Whether a whole model's files hold a tower too.
pub(super) fn holds_tower(shards: &Shards) -> bool {
    let mut names = shards.names();
    names.any(|name| owner(name) == Some(Component::Vision))
}

/// The original chooses a conversation by the model's name; its models are trained on these.
fn usual_chat(decoder: &str) -> &'static str {
    match decoder {
        "qwen2" => "qwen",
        _ => "v1",
    }
}

/// Where the tokenizer lies if the folder has one of its own.
pub(super) fn own_tokenizer(folder: &Path) -> Option<String> {
    let files = ["tokenizer.json", "tokenizer.model", "vocab.json"];
    let has = files.iter().any(|name| folder.join(name).is_file());
    has.then(|| folder.display().to_string())
}
