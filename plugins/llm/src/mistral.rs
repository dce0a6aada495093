//! `mistral`: the decoder of Mistral 7B (Jiang et al. 2023, arXiv 2310.06825), as Hugging Face's
//! `MistralForCausalLM` computes it: LLaMA's with a window over which a token looks back.

use std::num::NonZeroUsize;

use burn::tensor::Device;
use menagerie_core::hf::HfParts;
use menagerie_core::{BuildError, Checkpoint, DecoderConfig, DecoderSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::hf::{self, Defaults, LLAMA};
use crate::names::HfNames;
use crate::pre_norm::PreNorm;
use crate::rope::RopeScaling;
use crate::shape::{Shape, Variant, default_initializer_range, head_dim, shape};
use crate::transformer::Transformer;
use crate::window::{self, Layers, Windows};

/// The decoder of Mistral 7B (arXiv 2310.06825).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MistralConfig {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside a block's MLP.
    pub intermediate_size: usize,
    /// Transformer blocks.
    pub num_layers: usize,
    /// Attention heads of a block.
    pub num_heads: usize,
    /// Heads of keys and values; fewer than `num_heads` is grouped-query attention.
    /// Default: `num_heads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_kv_heads: Option<usize>,
    /// Features of a head. Default: `hidden_size / num_heads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Base of the rotary frequencies.
    #[serde(default = "default_rope_theta")]
    pub rope_theta: f64,
    /// How the rotary frequencies are stretched for longer contexts. Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<RopeScaling>,
    /// Added to the mean square in norms.
    #[serde(default = "default_rms_norm_eps")]
    pub rms_norm_eps: f64,
    /// Longest sequence, in tokens.
    #[serde(default = "default_max_position_embeddings")]
    pub max_position_embeddings: usize,
    /// Tokens that a token sees, itself included. Default: all up to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sliding_window: Option<NonZeroUsize>,
    /// Whether the output layer is the embedding table.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Standard deviation of weights that are drawn and not loaded.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f64,
}

fn default_rope_theta() -> f64 {
    10_000.0
}

fn default_rms_norm_eps() -> f64 {
    1e-5
}

fn default_max_position_embeddings() -> usize {
    32_768
}

impl MistralConfig {
    /// `mistralai/Mistral-7B-v0.1`.
    fn first() -> Self {
        Self {
            vocab_size: 32_000,
            hidden_size: 4096,
            intermediate_size: 14_336,
            num_layers: 32,
            num_heads: 32,
            num_kv_heads: Some(8),
            head_dim: None,
            rope_theta: default_rope_theta(),
            rope_scaling: None,
            rms_norm_eps: default_rms_norm_eps(),
            max_position_embeddings: default_max_position_embeddings(),
            sliding_window: NonZeroUsize::new(4096),
            tie_word_embeddings: false,
            initializer_range: default_initializer_range(),
        }
    }

    /// `mistralai/Mistral-7B-Instruct-v0.2`, which has no window.
    fn second() -> Self {
        Self {
            rope_theta: 1e6,
            sliding_window: None,
            ..Self::first()
        }
    }

    /// `mistralai/Mistral-7B-v0.3`.
    fn third() -> Self {
        Self {
            vocab_size: 32_768,
            ..Self::second()
        }
    }

    fn shape(&self) -> Result<Shape, BuildError> {
        let head_dim = head_dim(Self::NAME, self.head_dim, self.hidden_size, self.num_heads)?;
        Ok(Shape {
            variant: Variant {
                windows: Windows::new(self.sliding_window, None, Layers::All),
                ..Variant::default()
            },
            ..shape!(self, head_dim, rms_norm_eps)
        })
    }
}

impl DecoderConfig for MistralConfig {
    type Decoder = Transformer<PreNorm>;
    const NAME: &'static str = "mistral";
    const MODEL_TYPES: &'static [&'static str] = &["mistral"];

    fn tiny() -> Self {
        Self {
            vocab_size: 29,
            hidden_size: 24,
            intermediate_size: 40,
            num_layers: 2,
            num_heads: 4,
            num_kv_heads: Some(2),
            max_position_embeddings: 64,
            sliding_window: NonZeroUsize::new(3),
            ..Self::first()
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![
            ("mistral-7b-v0.1", Self::first()),
            ("mistral-7b-v0.2", Self::second()),
            ("mistral-7b-v0.3", Self::third()),
        ]
    }

    fn spec(&self) -> Result<DecoderSpec, BuildError> {
        self.shape()?.spec(Self::NAME)
    }

    fn init(&self, device: &Device) -> Result<Transformer<PreNorm>, BuildError> {
        self.spec()?;
        Ok(Transformer::pre_norm(&self.shape()?, device))
    }

    fn checkpoint(&self) -> Checkpoint {
        HfNames::LLAMA.checkpoint(self.tie_word_embeddings)
    }

    /// Field names and defaults of transformers' `MistralConfig`.
    fn from_hf(config: &Value) -> Result<toml::Table, BuildError> {
        let defaults = Defaults {
            intermediate_size: 14_336,
            num_kv_heads: Some(8),
            max_position_embeddings: 131_072,
            ..LLAMA
        };
        let hf = hf::read(Self::NAME, config, defaults)?;
        Ok(window::read_window(hf, Some(4096))?.into_options())
    }

    fn to_hf(&self) -> Option<HfParts> {
        let shape = self.shape().ok()?;
        let mut config = hf::fields("mistral", "MistralForCausalLM", &shape, self.head_dim);
        config.insert("sliding_window".to_owned(), json!(self.sliding_window));
        let outer = Map::new();
        Some(HfParts { config, outer })
    }
}

menagerie_core::register_decoder!(MistralConfig);

#[cfg(test)]
mod tests;
