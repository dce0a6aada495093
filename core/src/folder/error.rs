//! What can be wrong with a model folder.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::BuildError;

/// A folder that cannot be read as a model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// There is none.
    #[error("there is no folder `{}`", .0.display())]
    NotFound(PathBuf),

    /// It does not say what it is.
    #[error(
        "`{}` is no model's folder: it has none of model.toml (a run of this program), config.json (Hugging Face's layout and the original LLaVA's) and adapter_config.json (LoRA)",
        .0.display()
    )]
    NoConfig(PathBuf),

    /// It holds one component, or a model that is not read.
    #[error(
        "`{}` is of a model of type `{model_type}`, which is no vision-language model that is read here: those are `llava` with `vision_config` and `text_config` (Hugging Face) and decoders with `mm_vision_tower` (the original LLaVA). If it is one component, state it as the `weights` of its table in a recipe",
        .path.display()
    )]
    NotWhole {
        /// The `config.json`.
        path: PathBuf,
        /// Its `model_type`.
        model_type: String,
    },

    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },

    /// A file is not what it should be.
    #[error("{}: {problem}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong and what is allowed.
        problem: String,
    },

    /// A part that no plugin reads.
    #[error("{}: {source}", .path.display())]
    Plugin {
        /// The file.
        path: PathBuf,
        /// What there is.
        source: BuildError,
    },

    /// What the folder lies over is not known.
    #[error(
        "`{}` is {what} and does not say which model it lies over; state it: `--base DIR`, or `model = {{ path = …, base = … }}` in a recipe",
        .path.display()
    )]
    NoBase {
        /// The folder.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },

    /// A base, or the word that it is a delta, for a folder that lies over nothing.
    #[error(
        "`{}` is {layout}: a base goes under adapters, lone projectors and, with `delta`, differences to a whole model in the original's layout",
        .path.display()
    )]
    NeedsNoBase {
        /// The folder.
        path: PathBuf,
        /// What it is.
        layout: super::Layout,
    },

    /// The encoder is somewhere else, nobody knows what it is.
    #[error(
        "{} names the vision tower `{tower}`, which is no folder here and no published encoder known by name; state `type` and `weights` of [vision] in a recipe, or put the tower's folder there",
        .path.display()
    )]
    UnknownTower {
        /// The `config.json`.
        path: PathBuf,
        /// What it names.
        tower: String,
    },
}

impl FolderError {
    pub(super) fn invalid(path: &std::path::Path, problem: impl Into<String>) -> Self {
        Self::Invalid {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }
}
