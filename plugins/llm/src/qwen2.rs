//! `qwen2`: the decoder of Qwen2 and Qwen2.5 (Yang et al. 2024, arXiv 2407.10671), as Hugging Face's
//! `Qwen2ForCausalLM` computes it: LLaMA's with a bias on queries, keys and values.

use std::num::NonZeroUsize;

use burn::tensor::Device;
use menagerie_core::hf::HfParts;
use menagerie_core::{BuildError, Checkpoint, DecoderConfig, DecoderSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::hf::{self, Defaults, LLAMA};
use crate::names;
use crate::pre_norm::PreNorm;
use crate::rope::RopeScaling;
use crate::shape::{Biases, Shape, Variant, default_initializer_range, head_dim, shape};
use crate::transformer::Transformer;
use crate::window::{self, LayerType, Layers, Windows};

/// What transformers' `Qwen2Config` and `Qwen3Config` assume.
pub(crate) const QWEN: Defaults = Defaults {
    vocab_size: 151_936,
    intermediate_size: 22_016,
    num_kv_heads: Some(32),
    max_position_embeddings: 32_768,
    ..LLAMA
};

/// The decoder of Qwen2 and Qwen2.5 (arXiv 2407.10671).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Qwen2Config {
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
    /// Base of the rotary frequencies. The published models have a million.
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
    /// Tokens that a block with a window sees, its own included. Default: no window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sliding_window: Option<NonZeroUsize>,
    /// What each block attends over. Default: all tokens up to its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_types: Option<Vec<LayerType>>,
    /// Whether the output layer is the embedding table.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Standard deviation of weights that are drawn and not loaded.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f64,
}

fn default_rope_theta() -> f64 {
    1e6
}

fn default_rms_norm_eps() -> f64 {
    1e-6
}

fn default_max_position_embeddings() -> usize {
    32_768
}

impl Qwen2Config {
    /// `Qwen/Qwen2-0.5B`.
    fn smallest() -> Self {
        Self {
            vocab_size: 151_936,
            hidden_size: 896,
            intermediate_size: 4864,
            num_layers: 24,
            num_heads: 14,
            num_kv_heads: Some(2),
            head_dim: None,
            rope_theta: default_rope_theta(),
            rope_scaling: None,
            rms_norm_eps: default_rms_norm_eps(),
            max_position_embeddings: 131_072,
            sliding_window: None,
            layer_types: None,
            tie_word_embeddings: true,
            initializer_range: default_initializer_range(),
        }
    }

    /// `Qwen/Qwen2-7B`.
    fn seven_billion() -> Self {
        Self {
            vocab_size: 152_064,
            hidden_size: 3584,
            intermediate_size: 18_944,
            num_layers: 28,
            num_heads: 28,
            num_kv_heads: Some(4),
            tie_word_embeddings: false,
            ..Self::smallest()
        }
    }

    fn shape(&self) -> Result<Shape, BuildError> {
        let head_dim = head_dim(Self::NAME, self.head_dim, self.hidden_size, self.num_heads)?;
        Ok(Shape {
            biases: Biases {
                query_key_value: true,
                ..Biases::default()
            },
            variant: Variant {
                windows: Windows::new(
                    self.sliding_window,
                    self.layer_types.as_deref(),
                    Layers::None,
                ),
                ..Variant::default()
            },
            ..shape!(self, head_dim, rms_norm_eps)
        })
    }
}

impl DecoderConfig for Qwen2Config {
    type Decoder = Transformer<PreNorm>;
    const NAME: &'static str = "qwen2";
    const MODEL_TYPES: &'static [&'static str] = &["qwen2"];

    fn tiny() -> Self {
        Self {
            vocab_size: 29,
            hidden_size: 24,
            intermediate_size: 40,
            num_layers: 2,
            num_heads: 4,
            num_kv_heads: Some(2),
            head_dim: Some(10),
            max_position_embeddings: 64,
            sliding_window: NonZeroUsize::new(3),
            layer_types: Some(vec![LayerType::FullAttention, LayerType::SlidingAttention]),
            ..Self::smallest()
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![
            ("qwen2-0.5b", Self::smallest()),
            ("qwen2-7b", Self::seven_billion()),
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
        names::checkpoint(self.tie_word_embeddings, None)
    }

    /// Field names and defaults of transformers' `Qwen2Config`.
    fn from_hf(config: &Value) -> Result<toml::Table, BuildError> {
        let hf = hf::read(Self::NAME, config, QWEN)?;
        Ok(window::read_qwen(hf, QWEN.num_layers)?.into_options())
    }

    fn to_hf(&self) -> Option<HfParts> {
        let shape = self.shape().ok()?;
        let mut config = hf::fields("qwen2", "Qwen2ForCausalLM", &shape, self.head_dim);
        config.append(&mut window::qwen_fields(
            &shape.variant.windows,
            self.num_layers,
        ));
        let outer = Map::new();
        Some(HfParts { config, outer })
    }
}

menagerie_core::register_decoder!(Qwen2Config);

#[cfg(test)]
mod tests;
