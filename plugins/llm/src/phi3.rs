//! `phi3`: the decoder of Phi-3 (Abdin et al. 2024, arXiv 2404.14219), as Hugging Face's
//! `Phi3ForCausalLM` computes it: LLaMA's, whose queries, keys and values are one layer and whose gate
//! and up are one, with a window.

mod block;

use std::num::NonZeroUsize;

use burn::tensor::Device;
use menagerie_core::hf::HfParts;
use menagerie_core::{BuildError, Checkpoint, DecoderConfig, DecoderSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::hf::{self, Defaults, LLAMA};
use crate::rope::RopeScaling;
use crate::shape::{Shape, Variant, default_initializer_range, head_dim, shape};
use crate::transformer::Transformer;
use crate::window::{self, Layers, Windows};

pub use block::FusedBlock;

/// The decoder of Phi-3 (arXiv 2404.14219).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phi3Config {
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
    /// The part of a head's features that turns with the position, the first ones.
    #[serde(default = "default_partial_rotary_factor")]
    pub partial_rotary_factor: f64,
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

fn default_partial_rotary_factor() -> f64 {
    1.0
}

fn default_rope_theta() -> f64 {
    10_000.0
}

fn default_rms_norm_eps() -> f64 {
    1e-5
}

fn default_max_position_embeddings() -> usize {
    4096
}

impl Phi3Config {
    /// `microsoft/Phi-3-mini-4k-instruct`.
    fn mini() -> Self {
        Self {
            vocab_size: 32_064,
            hidden_size: 3072,
            intermediate_size: 8192,
            num_layers: 32,
            num_heads: 32,
            num_kv_heads: None,
            head_dim: None,
            partial_rotary_factor: default_partial_rotary_factor(),
            rope_theta: default_rope_theta(),
            rope_scaling: None,
            rms_norm_eps: default_rms_norm_eps(),
            max_position_embeddings: default_max_position_embeddings(),
            sliding_window: NonZeroUsize::new(2047),
            tie_word_embeddings: false,
            initializer_range: default_initializer_range(),
        }
    }

    fn shape(&self) -> Result<Shape, BuildError> {
        let head_dim = head_dim(Self::NAME, self.head_dim, self.hidden_size, self.num_heads)?;
        Ok(Shape {
            variant: Variant {
                partial_rotary_factor: Some(self.partial_rotary_factor),
                windows: Windows::new(self.sliding_window, None, Layers::All),
                ..Variant::default()
            },
            ..shape!(self, head_dim, rms_norm_eps)
        })
    }
}

impl DecoderConfig for Phi3Config {
    type Decoder = Transformer<FusedBlock>;
    const NAME: &'static str = "phi3";
    const MODEL_TYPES: &'static [&'static str] = &["phi3"];

    fn tiny() -> Self {
        Self {
            vocab_size: 29,
            hidden_size: 24,
            intermediate_size: 40,
            num_layers: 2,
            num_heads: 4,
            num_kv_heads: Some(2),
            head_dim: Some(8),
            partial_rotary_factor: 0.75,
            max_position_embeddings: 64,
            sliding_window: NonZeroUsize::new(3),
            ..Self::mini()
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![("phi-3-mini-4k", Self::mini())]
    }

    fn spec(&self) -> Result<DecoderSpec, BuildError> {
        self.shape()?.spec(Self::NAME)
    }

    fn init(&self, device: &Device) -> Result<Transformer<FusedBlock>, BuildError> {
        self.spec()?;
        Ok(Transformer::fused(&self.shape()?, device))
    }

    fn checkpoint(&self) -> Checkpoint {
        block::NAMES.checkpoint(self.tie_word_embeddings)
    }

    /// Field names and defaults of transformers' `Phi3Config`.
    fn from_hf(config: &Value) -> Result<toml::Table, BuildError> {
        let defaults = Defaults {
            vocab_size: 32_064,
            hidden_size: 3072,
            intermediate_size: 8192,
            max_position_embeddings: 4096,
            norm_eps: ("rms_norm_eps", 1e-5),
            partial_rotary_factor: Some(1.0),
            ..LLAMA
        };
        let hf = hf::read(Self::NAME, config, defaults)?;
        Ok(window::read_window(hf, None)?.into_options())
    }

    fn to_hf(&self) -> Option<HfParts> {
        let shape = self.shape().ok()?;
        let mut config = hf::fields("phi3", "Phi3ForCausalLM", &shape, self.head_dim);
        config.insert("sliding_window".to_owned(), json!(self.sliding_window));
        // Its default is a row that a smaller table has not.
        config.insert("pad_token_id".to_owned(), Value::Null);
        // Transformers prefers it here, where it has a default, to its place beside the factors.
        if let Some(RopeScaling::Longrope {
            original_max_position_embeddings: original,
            ..
        }) = &self.rope_scaling
        {
            let key = "original_max_position_embeddings";
            config.insert(key.to_owned(), json!(original));
        }
        let outer = Map::new();
        Some(HfParts { config, outer })
    }
}

menagerie_core::register_decoder!(Phi3Config);

#[cfg(test)]
mod tests;
