//! `phi`: the decoder of Phi-2 and Phi-1.5 (Li et al. 2023, arXiv 2309.05463), as Hugging Face's
//! `PhiForCausalLM` computes it. Attention and MLP read the same norm and are added at once; only the
//! first features of a head turn; every layer has a bias.

mod block;

use burn::tensor::Device;
use menagerie_core::hf::HfParts;
use menagerie_core::nn::Activation;
use menagerie_core::{BuildError, Checkpoint, DecoderConfig, DecoderSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::hf::{self, Defaults, LLAMA};
use crate::names::HfNames;
use crate::rope::RopeScaling;
use crate::shape::{Biases, Shape, Variant, default_initializer_range, head_dim, shape};
use crate::transformer::Transformer;

pub use block::ParallelBlock;

const NAMES: HfNames = HfNames {
    linear: &[
        ("attention.query", "self_attn.q_proj"),
        ("attention.key", "self_attn.k_proj"),
        ("attention.value", "self_attn.v_proj"),
        ("attention.output", "self_attn.dense"),
        ("mlp.fc1", "mlp.fc1"),
        ("mlp.fc2", "mlp.fc2"),
    ],
    norms: &[("input_layernorm", "input_layernorm")],
    last_norm: "final_layernorm",
};

/// The decoder of Phi-2 and Phi-1.5 (arXiv 2309.05463), which TinyLLaVA takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhiConfig {
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
    /// Added to the variance in layer norms.
    #[serde(default = "default_layer_norm_eps")]
    pub layer_norm_eps: f64,
    /// Longest sequence, in tokens.
    #[serde(default = "default_max_position_embeddings")]
    pub max_position_embeddings: usize,
    /// Whether the output layer is the embedding table.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Standard deviation of weights that are drawn and not loaded.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f64,
}

fn default_partial_rotary_factor() -> f64 {
    0.4
}

fn default_rope_theta() -> f64 {
    10_000.0
}

fn default_layer_norm_eps() -> f64 {
    1e-5
}

fn default_max_position_embeddings() -> usize {
    2048
}

impl PhiConfig {
    /// `microsoft/phi-2`.
    fn second() -> Self {
        Self {
            vocab_size: 51_200,
            hidden_size: 2560,
            intermediate_size: 10_240,
            num_layers: 32,
            num_heads: 32,
            num_kv_heads: None,
            head_dim: None,
            partial_rotary_factor: default_partial_rotary_factor(),
            rope_theta: default_rope_theta(),
            rope_scaling: None,
            layer_norm_eps: default_layer_norm_eps(),
            max_position_embeddings: default_max_position_embeddings(),
            tie_word_embeddings: false,
            initializer_range: default_initializer_range(),
        }
    }

    fn shape(&self) -> Result<Shape, BuildError> {
        let head_dim = head_dim(Self::NAME, self.head_dim, self.hidden_size, self.num_heads)?;
        Ok(Shape {
            biases: Biases {
                query_key_value: true,
                attention_output: true,
                mlp: true,
            },
            variant: Variant {
                partial_rotary_factor: Some(self.partial_rotary_factor),
                head_bias: true,
                activation: Activation::GeluTanh,
                ..Variant::default()
            },
            ..shape!(self, head_dim, layer_norm_eps)
        })
    }
}

impl DecoderConfig for PhiConfig {
    type Decoder = Transformer<ParallelBlock>;
    const NAME: &'static str = "phi";
    const MODEL_TYPES: &'static [&'static str] = &["phi"];

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
            ..Self::second()
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![("phi-2", Self::second())]
    }

    fn spec(&self) -> Result<DecoderSpec, BuildError> {
        self.shape()?.spec(Self::NAME)
    }

    fn init(&self, device: &Device) -> Result<Transformer<ParallelBlock>, BuildError> {
        self.spec()?;
        Ok(Transformer::parallel(&self.shape()?, device))
    }

    fn checkpoint(&self) -> Checkpoint {
        NAMES.checkpoint(self.tie_word_embeddings)
    }

    /// Field names and defaults of transformers' `PhiConfig`.
    fn from_hf(config: &Value) -> Result<toml::Table, BuildError> {
        let defaults = Defaults {
            vocab_size: 51_200,
            hidden_size: 2048,
            intermediate_size: 8192,
            num_layers: 24,
            norm_eps: ("layer_norm_eps", 1e-5),
            activation: ("hidden_act", "gelu_new"),
            partial_rotary_factor: Some(0.5),
            ..LLAMA
        };
        let hf = hf::read(Self::NAME, config, defaults)?;
        if let Some(normed) = hf
            .get("qk_layernorm")
            .filter(|normed| **normed != json!(false))
        {
            let field = "qk_layernorm";
            return Err(hf.unsupported(field, field, normed, "queries and keys have no norm"));
        }
        Ok(hf.into_options())
    }

    fn to_hf(&self) -> Option<HfParts> {
        let shape = self.shape().ok()?;
        let config = hf::fields("phi", "PhiForCausalLM", &shape, self.head_dim);
        let outer = Map::new();
        Some(HfParts { config, outer })
    }
}

menagerie_core::register_decoder!(PhiConfig);

#[cfg(test)]
mod tests;
