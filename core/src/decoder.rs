//! The contract of a language decoder: embeddings to hidden states, and logits where asked.

use std::fmt::Debug;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::blocks::DecoderBlocks;
use crate::checkpoint::Checkpoint;
use crate::context::Context;
use crate::error::BuildError;
use crate::hf::HfParts;
use crate::slot::Slot;

/// A language decoder. An implementor is a Burn [`Module`].
pub trait Decoder: Debug + Send + Sync {
    /// `[batch, token]` -> `[batch, token, hidden]`
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3>;

    /// `[batch, token, hidden]` -> `[batch, token, hidden]`, the last norm included.
    ///
    /// The [`Context`] holds each token's position, who attends to whom and the key-value cache,
    /// so packing, batching and shared prefixes change no decoder.
    fn forward(&self, embeds: Tensor<3>, context: &mut Context) -> Tensor<3>;

    /// The same pass in its parts, for training with `checkpoint_blocks`. Default: it has none.
    fn blocks(&self) -> Option<&dyn DecoderBlocks> {
        None
    }

    /// `[batch, token, hidden]` -> `[batch, token, vocab]`, asked only for the positions needed.
    fn logits(&self, hidden: Tensor<3>) -> Tensor<3>;
}

/// What is known of a decoder before any weight exists.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderSpec {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Longest sequence the positions were made for, in tokens.
    pub max_position_embeddings: usize,
    /// Transformer blocks.
    pub num_layers: usize,
    /// Heads of keys and values in a block.
    pub num_kv_heads: usize,
    /// Features of a head.
    pub head_dim: usize,
}

/// The options of a decoder, as a recipe's `[llm]` table states them.
pub trait DecoderConfig:
    Serialize + DeserializeOwned + JsonSchema + Clone + Debug + Send + Sync + 'static
{
    /// The module built.
    type Decoder: Decoder + Module + Sync + 'static;

    /// The name in `[llm] type = "…"`.
    const NAME: &'static str;

    /// The `model_type`s of a `config.json` that this plugin answers to.
    const MODEL_TYPES: &'static [&'static str] = &[];

    /// Options that a checkpoint's config suggests and a recipe may state otherwise, as they change
    /// no weight.
    const CHOICES: &'static [&'static str] = &[];

    /// The smallest sensible model, which the contract checks run on (see [`crate::testing`]).
    fn tiny() -> Self;

    /// Named sizes for `preset = "…"`.
    fn presets() -> Vec<(&'static str, Self)> {
        Vec::new()
    }

    /// Checks the options and states the sizes.
    ///
    /// # Errors
    /// An option out of range, or options that exclude each other.
    fn spec(&self) -> Result<DecoderSpec, BuildError>;

    /// Builds the module with lazily initialised weights.
    ///
    /// # Errors
    /// As [`DecoderConfig::spec`].
    fn init(&self, device: &Device) -> Result<Self::Decoder, BuildError>;

    /// How published checkpoints of this decoder are read.
    fn checkpoint(&self) -> Checkpoint;

    /// The options that a Hugging Face `config.json` states, the decoder's own or a whole model's.
    ///
    /// # Errors
    /// A field that is missing or of the wrong kind.
    fn from_hf(config: &serde_json::Value) -> Result<toml::Table, BuildError> {
        let _ = config;
        Ok(toml::Table::new())
    }

    /// What a Hugging Face `config.json` says of this decoder, the inverse of
    /// [`DecoderConfig::from_hf`]. None: transformers has no such model.
    fn to_hf(&self) -> Option<HfParts> {
        None
    }
}

impl<M: Decoder + Module + Sync + 'static> From<M> for Slot<dyn Decoder> {
    fn from(module: M) -> Self {
        Slot::new(module, |module| module)
    }
}
