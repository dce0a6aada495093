//! `llama`: the decoder of LLaMA, Llama 2, Llama 3 and Vicuna (Touvron et al. 2023,
//! arXiv 2302.13971 and 2307.09288), as Hugging Face's `LlamaForCausalLM` computes it.

use burn::tensor::Device;
use menagerie_core::hf::HfParts;
use menagerie_core::{BuildError, Checkpoint, DecoderConfig, DecoderSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::hf::{self, LLAMA};
use crate::names::{self, Interleaved};
use crate::pre_norm::PreNorm;
use crate::rope::RopeScaling;
use crate::shape::{Biases, Shape, default_initializer_range, head_dim, shape};
use crate::transformer::Transformer;

/// The decoder of LLaMA, Llama 2, Llama 3 and Vicuna (arXiv 2302.13971, 2307.09288).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LlamaConfig {
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
    /// Whether the output layer is the embedding table.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Whether queries, keys, values and the attention's output have a bias.
    #[serde(default)]
    pub attention_bias: bool,
    /// Whether the layers of the MLP have a bias.
    #[serde(default)]
    pub mlp_bias: bool,
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
    4096
}

impl LlamaConfig {
    /// Vicuna v1.5, which is Llama 2's shape.
    fn vicuna(
        hidden_size: usize,
        intermediate_size: usize,
        num_layers: usize,
        num_heads: usize,
    ) -> Self {
        Self {
            vocab_size: 32_000,
            hidden_size,
            intermediate_size,
            num_layers,
            num_heads,
            num_kv_heads: None,
            head_dim: None,
            rope_theta: default_rope_theta(),
            rope_scaling: None,
            rms_norm_eps: default_rms_norm_eps(),
            max_position_embeddings: default_max_position_embeddings(),
            tie_word_embeddings: false,
            attention_bias: false,
            mlp_bias: false,
            initializer_range: default_initializer_range(),
        }
    }

    fn kv_heads(&self) -> usize {
        self.num_kv_heads.unwrap_or(self.num_heads)
    }

    fn shape(&self) -> Result<Shape, BuildError> {
        let head_dim = head_dim(Self::NAME, self.head_dim, self.hidden_size, self.num_heads)?;
        Ok(Shape {
            biases: Biases {
                query_key_value: self.attention_bias,
                attention_output: self.attention_bias,
                mlp: self.mlp_bias,
            },
            ..shape!(self, head_dim, rms_norm_eps)
        })
    }
}

impl DecoderConfig for LlamaConfig {
    type Decoder = Transformer<PreNorm>;
    const NAME: &'static str = "llama";
    const MODEL_TYPES: &'static [&'static str] = &["llama"];

    fn tiny() -> Self {
        Self {
            vocab_size: 29,
            num_kv_heads: Some(2),
            max_position_embeddings: 64,
            ..Self::vicuna(24, 40, 2, 6)
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![
            ("vicuna-7b", Self::vicuna(4096, 11_008, 32, 32)),
            ("vicuna-13b", Self::vicuna(5120, 13_824, 40, 40)),
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
        let interleaved = Interleaved {
            query_heads: self.num_heads,
            key_heads: self.kv_heads(),
        };
        names::checkpoint(self.tie_word_embeddings, Some(interleaved))
    }

    /// Field names and defaults of transformers' `LlamaConfig`.
    fn from_hf(config: &Value) -> Result<toml::Table, BuildError> {
        Ok(hf::read(Self::NAME, config, LLAMA)?
            .set("attention_bias", &["attention_bias"], false)?
            .set("mlp_bias", &["mlp_bias"], false)?
            .into_options())
    }

    fn to_hf(&self) -> Option<HfParts> {
        let shape = self.shape().ok()?;
        let mut config = hf::fields("llama", "LlamaForCausalLM", &shape, self.head_dim);
        config.insert("attention_bias".to_owned(), self.attention_bias.into());
        config.insert("mlp_bias".to_owned(), self.mlp_bias.into());
        let outer = Map::new();
        Some(HfParts { config, outer })
    }
}

menagerie_core::register_decoder!(LlamaConfig);

#[cfg(test)]
mod tests;
