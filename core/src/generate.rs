//! Answers, token by token.
//!
//! Prompts of different lengths are answered together, each in a row of the cache. A row whose answer ends goes to the
//! next prompt at once, which begins with what any row holds of its beginning already: the same image and the text
//! before it are read once. An answer is the one that its prompt gets alone.

mod answer;
mod memory;
mod queue;
mod run;
mod sampling;
mod stop;

use burn::tensor::DType;
use serde::Serialize;
use thiserror::Error;

use crate::decoder::DecoderSpec;
use crate::network::Network;
use crate::tokens::{EncodeError, Tokenizer};

pub use crate::prompt::{Prompt, SeenImage};
pub use crate::recipe::GenerationConfig;
pub(crate) use memory::Memory;
pub(crate) use queue::Listed;
pub use queue::Queue;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// The model ended it with an end token.
    EndToken,
    /// A stop string appeared.
    StopString,
    /// It reached `max_new_tokens` or the decoder's longest sequence.
    Length,
    /// The caller broke off.
    Cancelled,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Completion {
    /// The text, without the template's space before it, end token and stop string.
    pub text: String,
    /// The tokens drawn, an end token excluded.
    pub ids: Vec<i64>,
    /// The end token that ended it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_token: Option<i64>,
    /// Why it ended.
    pub finish: Finish,
}

/// A prompt that cannot be answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// It leaves no room for an answer.
    #[error(
        "the prompt is {tokens} tokens long and the decoder takes {limit}; shorten it or give fewer images"
    )]
    TooLong {
        /// Tokens of the prompt, visual tokens included.
        tokens: usize,
        /// The decoder's longest sequence.
        limit: usize,
    },

    /// The tokenizer cannot turn a token into text.
    #[error(transparent)]
    Decode(#[from] EncodeError),
}

/// Whether a prompt leaves room for an answer.
pub(crate) fn check_length(tokens: usize, limit: usize) -> Result<(), GenerateError> {
    if tokens < limit {
        return Ok(());
    }
    Err(GenerateError::TooLong { tokens, limit })
}

/// What prompts are answered with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generator<'a> {
    pub network: &'a Network,
    pub spec: &'a DecoderSpec,
    /// The type of number of keys and values that are kept.
    pub cache: DType,
    pub tokenizer: &'a Tokenizer,
    pub config: &'a GenerationConfig,
    /// Tokens that end an answer.
    pub end_tokens: &'a [i64],
    /// What the template writes before an answer, which the model writes and nobody wants.
    pub lead: &'a str,
    /// Texts that end an answer.
    pub stop: &'a [String],
}
