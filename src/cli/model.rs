//! The MODEL argument.

use std::path::{Path, PathBuf};

use menagerie_core::burn::tensor::Device;
use menagerie_core::folder::ModelPath;
use menagerie_core::image::MAX_BYTES;
use menagerie_core::model::RequestError;
use menagerie_core::recipe::{Dtype, LoadOptions};
use menagerie_core::toml::Value;
use menagerie_core::{Component, Model, Recipe, RecipeSource};

use super::allocator::keep_free_memory;
use super::error::CliError;
use super::hub;
use super::progress::Progress;
use crate::train::CheckpointModel;

/// Which model, and how it is read.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ModelArgs {
    /// A run folder, or one of its checkpoints; a model's folder in Hugging Face's or the original
    /// LLaVA's layout, a projector or a LoRA adapter over its base; a recipe file whose components
    /// state weights; or a hub id.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// What an adapter, a lone projector or delta weights lie over: a folder or a hub id. Default:
    /// what their config names.
    #[arg(long, value_name = "DIR")]
    base: Option<String>,
    /// The folder's weights are differences to those of --base.
    #[arg(long, requires = "base")]
    delta: bool,
    /// Conversation template: a built-in one's name, or `jinja` for the folder's own. Default: the
    /// model's.
    #[arg(long, value_name = "NAME")]
    chat: Option<String>,
}

/// A model that is used, and the type of number that it computes in.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct UsedModel {
    #[command(flatten)]
    pub(super) model: ModelArgs,
    /// The type of number of its weights. On a CPU `bf16`, `q8` and `q4` take half, a quarter and an
    /// eighth of the memory of `f32`, and answer the faster for it. Default: the model's.
    #[arg(long, value_enum, value_name = "TYPE", visible_alias = "quantize")]
    dtype: Option<DtypeArg>,
}

impl UsedModel {
    /// The model on `device`.
    pub(super) fn open(&self, device: &Device) -> Result<Model, CliError> {
        self.find()?.assemble(device)
    }

    /// The model, not yet assembled.
    pub(super) fn find(&self) -> Result<Found, CliError> {
        self.model.find(self.dtype.map(DtypeArg::dtype))
    }
}

/// The type of number to compute in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DtypeArg {
    F32,
    F16,
    Bf16,
    /// 8 bits, 32 neighbours with a scale (ggml's `q8_0`); on a CPU.
    Q8,
    /// 4 bits, 32 neighbours with a scale (ggml's `q4_0`); on a CPU.
    Q4,
}

impl DtypeArg {
    pub(super) const fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::Bf16,
            Self::Q8 => Dtype::Q8,
            Self::Q4 => Dtype::Q4,
        }
    }
}

impl ModelArgs {
    /// The argument.
    pub(super) fn path(&self) -> &Path {
        &self.model
    }

    /// Whether a file lies in the model's own folder.
    pub(super) fn holds(&self, file: &Path) -> bool {
        let folder = self.model.canonicalize();
        let here = Path::new(".");
        let parent = file.parent().map(|parent| {
            let is_here = parent.as_os_str().is_empty();
            (if is_here { here } else { parent }).canonicalize()
        });
        matches!((folder, parent), (Ok(folder), Some(Ok(parent))) if parent.starts_with(&folder))
    }

    /// The model, all its weights on this machine; `dtype` in place of its own.
    pub(super) fn find(&self, dtype: Option<Dtype>) -> Result<Found, CliError> {
        let mut sets = Vec::new();
        let mut set = |key: &str, value: &str| {
            sets.push(format!("{key} = {}", Value::String(value.to_owned())));
        };
        if let Some(chat) = &self.chat {
            set("llm.chat", chat);
        }
        if let Some(dtype) = dtype {
            set("dtype", dtype.name());
        }
        let mut found = if CheckpointModel::is_at(&self.model) && self.base.is_none() {
            Found::Checkpoint(Box::new(CheckpointModel::open(&self.model, &sets)?))
        } else {
            Found::Recipe(Box::new(self.stated(&sets)?))
        };
        hub::localise(found.recipe_mut())?;
        // A model that is used must have learned something; what a run draws from its seed is part of
        // what it trained.
        if let Found::Recipe(recipe) = &found {
            let mut all = Component::ALL.into_iter();
            if let Some(component) =
                all.find(|&component| recipe.weight_sources(component).is_empty())
            {
                return Err(CliError::NoWeights {
                    path: self.model.clone(),
                    component,
                });
            }
        }
        Ok(found)
    }

    fn stated(&self, sets: &[String]) -> Result<Recipe, CliError> {
        let path = &self.model;
        if path.is_file() && self.base.is_some() {
            let path = path.clone();
            return Err(CliError::BaseOfRecipe { path });
        }
        if path.is_file() {
            let source = RecipeSource::File(path.clone());
            let options = LoadOptions {
                sets,
                resolve: &hub::folder,
                init: None,
            };
            return Ok(Recipe::load_as(&source, &options)?);
        }
        let run = path.join("model.toml");
        if run.is_file() && self.base.is_none() {
            let source = RecipeSource::File(run);
            return Ok(Recipe::load_with(&source, sets)?);
        }
        if path.join("checkpoints").is_dir() && path.join("recipe.toml").is_file() {
            let path = path.clone();
            return Err(CliError::NoStageDone { path });
        }
        let folder = if path.exists() {
            path.clone()
        } else {
            hub::model(path)?
        };
        let mut model = ModelPath {
            path: folder,
            base: self.base.clone(),
            delta: self.delta,
        };
        if let Some(base) = model.missing_base() {
            let base = hub::model(Path::new(&base))?;
            model.base = Some(base.display().to_string());
        }
        Ok(Recipe::of_folder(&model, sets)?)
    }
}

/// Parameters of a model that is worth a bar while it is loaded.
const SHOWN_FROM: usize = 200_000_000;

/// A model that is not assembled yet.
pub(super) enum Found {
    /// What a recipe states.
    Recipe(Box<Recipe>),
    /// What a run had come to.
    Checkpoint(Box<CheckpointModel>),
}

impl Found {
    /// The recipe; that of a checkpoint makes the model as the checkpoint's stage found it.
    pub(super) const fn recipe(&self) -> &Recipe {
        match self {
            Self::Recipe(recipe) => recipe,
            Self::Checkpoint(checkpoint) => checkpoint.recipe(),
        }
    }

    const fn recipe_mut(&mut self) -> &mut Recipe {
        match self {
            Self::Recipe(recipe) => recipe,
            Self::Checkpoint(checkpoint) => checkpoint.recipe_mut(),
        }
    }

    /// The model for use. A large one shows how far it is loaded.
    pub(super) fn assemble(&self, device: &Device) -> Result<Model, CliError> {
        let model = watched(|progress| match self {
            Self::Recipe(recipe) => Ok(recipe.assemble_watched(device, progress)?),
            Self::Checkpoint(checkpoint) => {
                Ok(checkpoint.assemble_to_train(device, progress)?.packed())
            }
        })?;
        keep_free_memory();
        Ok(model)
    }

    /// The model with plain weights, to be written elsewhere.
    pub(super) fn assemble_to_write(&self, device: &Device) -> Result<Model, CliError> {
        watched(|progress| match self {
            Self::Recipe(recipe) => Ok(recipe.assemble_to_train(&[], device, progress)?),
            Self::Checkpoint(checkpoint) => Ok(checkpoint.assemble_to_train(device, progress)?),
        })
    }
}

/// What `assemble` gives, with a bar on stderr if the model is large.
fn watched(
    assemble: impl FnOnce(&mut dyn FnMut(usize, usize)) -> Result<Model, CliError>,
) -> Result<Model, CliError> {
    let mut bar: Option<Progress> = None;
    let model = assemble(&mut |done, total| {
        if total >= SHOWN_FROM {
            let bar = bar.get_or_insert_with(|| Progress::new("loading", total));
            bar.set(done, total, "parameters");
        }
    })?;
    if let Some(bar) = bar {
        bar.finish();
    }
    Ok(model)
}

/// The bytes of an image file.
pub(super) fn read_image(path: &Path) -> Result<Vec<u8>, CliError> {
    let read = || {
        let metadata = std::fs::metadata(path)?;
        // A pipe would wait, and a device never end.
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is no regular file"));
        }
        if metadata.len() > MAX_BYTES {
            let problem = format!(
                "it has {} bytes; at most {MAX_BYTES} are read",
                metadata.len()
            );
            return Err(std::io::Error::other(problem));
        }
        std::fs::read(path)
    };
    read().map_err(|source| CliError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The bytes of image files.
pub(super) fn read_images(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, CliError> {
    paths.iter().map(|path| read_image(path)).collect()
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
