//! Model folders as they lie on people's disks, read as recipes.
//!
//! What a folder holds is read from its files' content (`config.json`, `adapter_config.json`, the
//! names of tensors), never from a path's text. The result is the part of a recipe that the folder
//! states: three components with their types and weights. `model = "DIR"` in a recipe puts it under
//! what the recipe says itself.

mod adapter;
mod config;
mod error;
mod hf;
mod original;
mod processor;
mod tower;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use toml::Table;

pub use adapter::base_of_adapter;
pub use config::read_json;
pub use error::FolderError;
pub use original::PROJECTOR_FILES;
pub use tower::TOWER;

use crate::component::Component;

/// How a folder lays a model out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layout {
    /// A run folder of this project, or an export in its own layout: `model.toml`.
    Run,
    /// Hugging Face's `LlavaForConditionalGeneration`.
    Hf,
    /// The original LLaVA: a decoder's folder with `mm_*` keys in its `config.json`.
    Original,
    /// The original LLaVA's first stage: `mm_projector.bin` for a base decoder.
    Projector,
    /// A LoRA adapter (PEFT), the original LLaVA's included.
    Adapter,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Run => "a run folder",
            Self::Hf => "a whole model in Hugging Face's layout",
            Self::Original => "a whole model in the original LLaVA's layout",
            Self::Projector => "a projector alone",
            Self::Adapter => "an adapter",
        })
    }
}

/// A whole model's folder and what is needed beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelPath {
    /// The folder.
    pub path: PathBuf,
    /// What an adapter, a lone projector or delta weights lie over: a folder or a hub id.
    pub base: Option<String>,
    /// Whether the folder's weights are differences to those of `base`.
    pub delta: bool,
}

/// What a folder states of a recipe.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FolderRecipe {
    /// How the folder is laid out.
    pub layout: Layout,
    /// The file that says so.
    pub file: PathBuf,
    /// The part of a recipe.
    pub table: Table,
    /// Set if the folder does not say what its encoder is, which only matters where nobody else does.
    pub unknown_tower: Option<String>,
}

impl ModelPath {
    /// Reads what the folder states.
    ///
    /// # Errors
    /// It is no model's folder, of a kind that is not read here, or lacks what it lies over.
    pub fn recipe(&self) -> Result<FolderRecipe, FolderError> {
        if let Some(base) = &self.base
            && !Path::new(base).exists()
            && !config::may_be_hub_id(base)
        {
            return Err(FolderError::NotFound(base.into()));
        }
        let recipe = self.read()?;
        let lies_over = match recipe.layout {
            Layout::Run | Layout::Hf => false,
            Layout::Original => self.delta,
            Layout::Projector | Layout::Adapter => !self.delta,
        };
        if (self.base.is_some() || self.delta) && !lies_over {
            return Err(FolderError::NeedsNoBase {
                path: self.path.clone(),
                layout: recipe.layout,
            });
        }
        Ok(recipe)
    }

    /// The hub id of the base that an adapter's config names and that is not here, if none is stated:
    /// whoever can fetch it states its folder as `base`.
    #[must_use]
    pub fn missing_base(&self) -> Option<String> {
        match &self.base {
            None => adapter::missing_base(&self.path),
            Some(base) => {
                let is_missing = !Path::new(base).exists() && config::may_be_hub_id(base);
                is_missing.then(|| base.clone())
            }
        }
    }

    fn read(&self) -> Result<FolderRecipe, FolderError> {
        let folder = &self.path;
        if !folder.is_dir() {
            return Err(FolderError::NotFound(folder.clone()));
        }
        let run = folder.join("model.toml");
        if run.is_file() {
            return config::run(&run);
        }
        if folder.join(adapter::CONFIG).is_file() {
            return adapter::recipe_of(self);
        }
        let file = folder.join("config.json");
        if !file.is_file() {
            return Err(FolderError::NoConfig(folder.clone()));
        }
        let config = read_json(&file)?;
        if original::is_original(&config) {
            original::recipe_of(self, file, &config)
        } else if hf::is_hf(&config) {
            hf::recipe_of(self, file, &config)
        } else {
            Err(FolderError::NotWhole {
                path: file,
                model_type: config::model_type(&config).unwrap_or("unknown").to_owned(),
            })
        }
    }
}

/// The table of one component: its type, its weights and more.
fn component(entries: impl IntoIterator<Item = (&'static str, toml::Value)>) -> Table {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// The recipe of three components.
fn recipe(folder: &Path, config: &Value, tables: [(Component, Table); 3]) -> Table {
    let mut recipe = Table::new();
    recipe.insert("name".to_owned(), config::name(folder).into());
    if let Some(dtype) = config::dtype(config) {
        recipe.insert("dtype".to_owned(), dtype.into());
    }
    for (component, table) in tables {
        recipe.insert(component.name().to_owned(), table.into());
    }
    recipe
}

/// A path as recipes hold it.
fn text(path: &Path) -> toml::Value {
    config::absolute(path).display().to_string().into()
}
