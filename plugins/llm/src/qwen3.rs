//! `qwen3`: the decoder of Qwen3 (Yang et al. 2025, arXiv 2505.09388), as Hugging Face's
//! `Qwen3ForCausalLM` computes it: LLaMA's with a norm over each head's queries and keys.

use std::num::NonZeroUsize;

use burn::tensor::Device;
use menagerie_core::hf::HfParts;
use menagerie_core::{BuildError, Checkpoint, DecoderConfig, DecoderSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::hf;
use crate::names::HfNames;
use crate::pre_norm::PreNorm;
use crate::qwen2::QWEN;
use crate::rope::RopeScaling;
use crate::shape::{Biases, Shape, Variant, default_initializer_range, shape};
use crate::transformer::Transformer;
use crate::window::{self, LayerType, Layers, Windows};

const NAMES: HfNames = HfNames {
    norms: &[
        ("attention.query_norm", "self_attn.q_norm"),
        ("attention.key_norm", "self_attn.k_norm"),
        ("input_layernorm", "input_layernorm"),
        ("post_attention_layernorm", "post_attention_layernorm"),
    ],
    ..HfNames::LLAMA
};

/// The decoder of Qwen3 (arXiv 2505.09388).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Qwen3Config {
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
    /// Features of a head.
    #[serde(default = "default_head_dim")]
    pub head_dim: usize,
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
    /// Tokens that a block with a window sees, its own included. Default: no window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sliding_window: Option<NonZeroUsize>,
    /// What each block attends over. Default: all tokens up to its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_types: Option<Vec<LayerType>>,
    /// Whether queries, keys, values and the attention's output have a bias.
    #[serde(default)]
    pub attention_bias: bool,
    /// Whether the output layer is the embedding table.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Standard deviation of weights that are drawn and not loaded.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f64,
}

fn default_head_dim() -> usize {
    128
}

fn default_rope_theta() -> f64 {
    1e6
}

fn default_rms_norm_eps() -> f64 {
    1e-6
}

fn default_max_position_embeddings() -> usize {
    40_960
}

impl Qwen3Config {
    /// `Qwen/Qwen3-0.6B`.
    fn smallest() -> Self {
        Self {
            vocab_size: 151_936,
            hidden_size: 1024,
            intermediate_size: 3072,
            num_layers: 28,
            num_heads: 16,
            num_kv_heads: Some(8),
            head_dim: default_head_dim(),
            rope_theta: default_rope_theta(),
            rope_scaling: None,
            rms_norm_eps: default_rms_norm_eps(),
            max_position_embeddings: default_max_position_embeddings(),
            sliding_window: None,
            layer_types: None,
            attention_bias: false,
            tie_word_embeddings: true,
            initializer_range: default_initializer_range(),
        }
    }

    /// `Qwen/Qwen3-1.7B`.
    fn two_billion() -> Self {
        Self {
            hidden_size: 2048,
            intermediate_size: 6144,
            ..Self::smallest()
        }
    }

    /// `Qwen/Qwen3-4B`.
    fn four_billion() -> Self {
        Self {
            hidden_size: 2560,
            intermediate_size: 9728,
            num_layers: 36,
            num_heads: 32,
            ..Self::smallest()
        }
    }

    /// `Qwen/Qwen3-8B`.
    fn eight_billion() -> Self {
        Self {
            hidden_size: 4096,
            intermediate_size: 12_288,
            tie_word_embeddings: false,
            ..Self::four_billion()
        }
    }

    fn shape(&self) -> Shape {
        Shape {
            biases: Biases {
                query_key_value: self.attention_bias,
                attention_output: self.attention_bias,
                ..Biases::default()
            },
            variant: Variant {
                qk_norm: true,
                windows: Windows::new(
                    self.sliding_window,
                    self.layer_types.as_deref(),
                    Layers::None,
                ),
                ..Variant::default()
            },
            ..shape!(self, self.head_dim, rms_norm_eps)
        }
    }
}

impl DecoderConfig for Qwen3Config {
    type Decoder = Transformer<PreNorm>;
    const NAME: &'static str = "qwen3";
    const MODEL_TYPES: &'static [&'static str] = &["qwen3"];

    fn tiny() -> Self {
        Self {
            vocab_size: 29,
            hidden_size: 24,
            intermediate_size: 40,
            num_layers: 2,
            num_heads: 4,
            num_kv_heads: Some(2),
            head_dim: 10,
            max_position_embeddings: 64,
            sliding_window: NonZeroUsize::new(3),
            layer_types: Some(vec![LayerType::SlidingAttention, LayerType::FullAttention]),
            ..Self::smallest()
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![
            ("qwen3-0.6b", Self::smallest()),
            ("qwen3-1.7b", Self::two_billion()),
            ("qwen3-4b", Self::four_billion()),
            ("qwen3-8b", Self::eight_billion()),
        ]
    }

    fn spec(&self) -> Result<DecoderSpec, BuildError> {
        self.shape().spec(Self::NAME)
    }

    fn init(&self, device: &Device) -> Result<Transformer<PreNorm>, BuildError> {
        self.spec()?;
        Ok(Transformer::pre_norm(&self.shape(), device))
    }

    fn checkpoint(&self) -> Checkpoint {
        NAMES.checkpoint(self.tie_word_embeddings)
    }

    /// Field names and defaults of transformers' `Qwen3Config`.
    fn from_hf(config: &Value) -> Result<toml::Table, BuildError> {
        let mut hf = hf::read(Self::NAME, config, QWEN)?
            .set("head_dim", &["head_dim"], 128)?
            .set("attention_bias", &["attention_bias"], false)?;
        hf = window::read_qwen(hf, QWEN.num_layers)?;
        Ok(hf.into_options())
    }

    fn to_hf(&self) -> Option<HfParts> {
        let shape = self.shape();
        let mut config = hf::fields("qwen3", "Qwen3ForCausalLM", &shape, Some(self.head_dim));
        config.insert("attention_bias".to_owned(), self.attention_bias.into());
        config.append(&mut window::qwen_fields(
            &shape.variant.windows,
            self.num_layers,
        ));
        let outer = Map::new();
        Some(HfParts { config, outer })
    }
}

menagerie_core::register_decoder!(Qwen3Config);

#[cfg(test)]
mod tests;
