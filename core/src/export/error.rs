//! What can go wrong while a model is written.

use std::path::PathBuf;

use thiserror::Error;

use crate::component::Component;
use crate::folder::FolderError;
use crate::recipe::RecipeError;
use crate::weights::WeightError;

/// A model that cannot be written in a layout.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// There is something already.
    #[error("`{}` exists already; name a folder that does not, or remove it", .0.display())]
    Exists(PathBuf),

    /// A layout without a place for a part.
    #[error(
        "the layout `{layout}` has no place for the {component} plugin `{plugin}` with these options; `burnpack` takes every model"
    )]
    Unknown {
        /// The component.
        component: Component,
        /// Its plugin.
        plugin: &'static str,
        /// The layout.
        layout: &'static str,
    },

    /// A choice that the layout cannot state.
    #[error("the layout `{layout}` cannot state {what}; `burnpack` takes every model")]
    NoWay {
        /// The layout.
        layout: &'static str,
        /// What it cannot state.
        what: String,
    },

    /// The adapter of a model that has none.
    #[error(
        "the model's decoder carries no LoRA adapter that could be written alone: [llm] of its recipe states no `adapter`"
    )]
    NoAdapter,

    /// What describes the model cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),

    /// A file cannot be read or written.
    #[error("`{}`: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },

    /// Weights that cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightError),

    /// The recipe cannot be written.
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    /// The tokenizer cannot be written.
    #[error("the tokenizer cannot be written: {0}")]
    Tokenizer(String),
}
