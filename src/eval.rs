//! Scoring a model on questions with known answers, and blind beside it.
//!
//! An answer is right if it equals the truth once both are trimmed, in lower case and without a
//! full stop at the end. The blind score asks the same questions with every image replaced by
//! grey: what a model knows of the answers without looking.

mod answer;
mod error;

pub use answer::{Answered, Evaluation, normalise};
pub use error::EvalError;

use std::ops::ControlFlow;
use std::time::Instant;

use burn::tensor::{Int, Tensor, TensorData};
use menagerie_core::chat::{Role, Turn};
use menagerie_core::image::Resize;
use menagerie_core::recipe::EvalTable;
use menagerie_core::tokens::IMAGE_TOKEN;
use menagerie_core::{GenerationConfig, Model};

use crate::data::{Dataset, ImageRef, SampleMeta};

/// How a model is scored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EvalOptions {
    /// Questions answered together.
    pub batch_size: usize,
    /// Whether to score blind too.
    pub blind: bool,
    /// Longest answer, in tokens.
    pub max_new_tokens: usize,
    /// How images become square, if not as the model says.
    pub resize: Option<Resize>,
    /// Questions to take, from the first; all if `None`.
    pub limit: Option<usize>,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self {
            batch_size: 64,
            blind: true,
            max_new_tokens: 16,
            resize: None,
            limit: None,
        }
    }
}

impl From<&EvalTable> for EvalOptions {
    fn from(table: &EvalTable) -> Self {
        Self {
            batch_size: table.batch_size,
            blind: table.blind,
            max_new_tokens: table.max_new_tokens,
            resize: table.data.resize,
            limit: None,
        }
    }
}
