//! What can go wrong between a recipe and a model.

use std::path::PathBuf;

use thiserror::Error;

use crate::chat::{JINJA, Template, TemplateError, UnknownTemplate};
use crate::recipe::{Dtype, Origin, RecipeError};
use crate::tokens::{EncodeError, TokenizerError};
use crate::weights::WeightError;

/// A recipe that cannot become a model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// The recipe is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    /// Weights that a component states cannot be loaded.
    #[error("{origin}: {source}")]
    Weights {
        /// Where the recipe states them.
        origin: Origin,
        /// Why.
        source: WeightError,
    },

    /// Quantised weights on a device that has no products for them.
    #[error(
        "{origin}: `dtype = \"{}\"` is for models that are used on a CPU; on this device state \
         `dtype = \"bf16\"`, or use `--device cpu`",
        .dtype.name()
    )]
    Quantised {
        /// Where the recipe states it.
        origin: Origin,
        /// The type.
        dtype: Dtype,
    },

    /// The tokenizer cannot be read.
    #[error("{origin}: {source}")]
    Tokenizer {
        /// Where the recipe states it.
        origin: Origin,
        /// Why.
        source: TokenizerError,
    },

    /// No tokenizer is stated.
    #[error(
        "{origin}: `[llm]` states no tokenizer; add `tokenizer = \"…/tokenizer.json\"`, or `weights` with a folder that holds one"
    )]
    NoTokenizer {
        /// The `[llm]` table.
        origin: Origin,
    },

    /// The tokenizer has more tokens than the decoder.
    #[error(
        "{origin}: the tokenizer has {tokens} tokens and the decoder embeds {vocab_size}; they do not belong together"
    )]
    Vocabulary {
        /// Where the recipe states the tokenizer.
        origin: Origin,
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Rows of the embedding table.
        vocab_size: usize,
    },

    /// No such conversation template.
    #[error("{origin}: {source}")]
    Chat {
        /// Where the recipe states it.
        origin: Origin,
        /// What there is.
        source: UnknownTemplate,
    },

    /// The folder's own conversation template cannot be used.
    #[error("{origin}: {source}")]
    Template {
        /// Where the recipe asks for it.
        origin: Origin,
        /// Why.
        source: TemplateError,
    },

    /// The folder brings no conversation template.
    #[error(
        "{origin}: `{JINJA}` is the chat template that comes with a tokenizer, and `{}` brings none; name a built-in one: {}",
        .folder.display(), Template::names().join(", ")
    )]
    NoTemplate {
        /// Where the recipe asks for it.
        origin: Origin,
        /// The tokenizer's folder or file.
        folder: PathBuf,
    },

    /// The tokens around images are none of the tokenizer's.
    #[error("{origin}: {source}")]
    ImageWrap {
        /// Where the recipe states them.
        origin: Origin,
        /// Which.
        source: EncodeError,
    },

    /// A generation config beside the weights that cannot be read.
    #[error("`{}`: {problem}", .path.display())]
    Generation {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}
