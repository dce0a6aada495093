//! `gemma2`: the decoder of Gemma 2 (Gemma Team 2024, arXiv 2408.00118), as Hugging Face's
//! `Gemma2ForCausalLM` computes it.

mod block;

use std::num::NonZeroUsize;

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
use crate::shape::{Biases, Shape, Variant, default_initializer_range, shape};
use crate::transformer::Transformer;
use crate::window::{self, LayerType, Layers, Windows};

pub use block::SandwichBlock;

const NAMES: HfNames = HfNames {
    norms: &[
        ("input_layernorm", "input_layernorm"),
        ("post_attention_layernorm", "post_attention_layernorm"),
        ("pre_feedforward_layernorm", "pre_feedforward_layernorm"),
        ("post_feedforward_layernorm", "post_feedforward_layernorm"),
    ],
    ..HfNames::LLAMA
};

/// The decoder of Gemma 2 (arXiv 2408.00118): windows in every other block, caps of scores and
/// logits, norms on both sides of attention and MLP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gemma2Config {
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
    /// What products of queries and keys are divided by the root of.
    #[serde(default = "default_query_pre_attn_scalar")]
    pub query_pre_attn_scalar: usize,
    /// The size that scores are held below, by `cap · tanh(score / cap)`. Default: none; the published
    /// models have 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attn_logit_softcapping: Option<f64>,
    /// The size that logits are held below, likewise. Default: none; the published models have 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_logit_softcapping: Option<f64>,
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
    /// Tokens that a block with a window sees, its own included. Default: no window; the published
    /// models have 4096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sliding_window: Option<NonZeroUsize>,
    /// What each block attends over. Default: the first block, the third and so on over the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_types: Option<Vec<LayerType>>,
    /// Whether queries, keys, values and the attention's output have a bias.
    #[serde(default)]
    pub attention_bias: bool,
    /// Whether the output layer is the embedding table.
    #[serde(default = "default_tie_word_embeddings")]
    pub tie_word_embeddings: bool,
    /// Standard deviation of weights that are drawn and not loaded.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f64,
}

fn default_head_dim() -> usize {
    256
}

fn default_query_pre_attn_scalar() -> usize {
    256
}

fn default_rope_theta() -> f64 {
    10_000.0
}

fn default_rms_norm_eps() -> f64 {
    1e-6
}

fn default_max_position_embeddings() -> usize {
    8192
}

fn default_tie_word_embeddings() -> bool {
    true
}

impl Gemma2Config {
    /// `google/gemma-2-2b`.
    fn smallest() -> Self {
        Self {
            vocab_size: 256_000,
            hidden_size: 2304,
            intermediate_size: 9216,
            num_layers: 26,
            num_heads: 8,
            num_kv_heads: Some(4),
            head_dim: default_head_dim(),
            query_pre_attn_scalar: default_query_pre_attn_scalar(),
            attn_logit_softcapping: Some(50.0),
            final_logit_softcapping: Some(30.0),
            rope_theta: default_rope_theta(),
            rope_scaling: None,
            rms_norm_eps: default_rms_norm_eps(),
            max_position_embeddings: default_max_position_embeddings(),
            sliding_window: NonZeroUsize::new(4096),
            layer_types: None,
            attention_bias: false,
            tie_word_embeddings: default_tie_word_embeddings(),
            initializer_range: default_initializer_range(),
        }
    }

    /// `google/gemma-2-9b`.
    fn nine_billion() -> Self {
        Self {
            hidden_size: 3584,
            intermediate_size: 14_336,
            num_layers: 42,
            num_heads: 16,
            num_kv_heads: Some(8),
            ..Self::smallest()
        }
    }

    /// `google/gemma-2-27b`.
    fn largest() -> Self {
        Self {
            hidden_size: 4608,
            intermediate_size: 36_864,
            num_layers: 46,
            num_heads: 32,
            num_kv_heads: Some(16),
            head_dim: 128,
            query_pre_attn_scalar: 144,
            ..Self::smallest()
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
                windows: Windows::new(
                    self.sliding_window,
                    self.layer_types.as_deref(),
                    Layers::Alternate,
                ),
                query_pre_attn_scalar: Some(self.query_pre_attn_scalar as f64),
                score_cap: self.attn_logit_softcapping,
                logit_cap: self.final_logit_softcapping,
                embed_scale: Some((self.hidden_size as f64).sqrt()),
                activation: Activation::GeluTanh,
                ..Variant::default()
            },
            ..shape!(self, self.head_dim, rms_norm_eps)
        }
    }
}

impl DecoderConfig for Gemma2Config {
    type Decoder = Transformer<SandwichBlock>;
    const NAME: &'static str = "gemma2";
    const MODEL_TYPES: &'static [&'static str] = &["gemma2"];

    fn tiny() -> Self {
        Self {
            vocab_size: 29,
            hidden_size: 24,
            intermediate_size: 40,
            num_layers: 2,
            num_heads: 4,
            num_kv_heads: Some(2),
            head_dim: 10,
            query_pre_attn_scalar: 6,
            attn_logit_softcapping: Some(3.0),
            final_logit_softcapping: Some(5.0),
            max_position_embeddings: 64,
            sliding_window: NonZeroUsize::new(3),
            ..Self::smallest()
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![
            ("gemma-2-2b", Self::smallest()),
            ("gemma-2-9b", Self::nine_billion()),
            ("gemma-2-27b", Self::largest()),
        ]
    }

    fn spec(&self) -> Result<DecoderSpec, BuildError> {
        self.shape().spec(Self::NAME)
    }

    fn init(&self, device: &Device) -> Result<Transformer<SandwichBlock>, BuildError> {
        self.spec()?;
        Ok(Transformer::sandwich(&self.shape(), device))
    }

    fn checkpoint(&self) -> Checkpoint {
        NAMES.checkpoint(self.tie_word_embeddings)
    }

    /// Field names and defaults of transformers' `Gemma2Config`.
    fn from_hf(config: &Value) -> Result<toml::Table, BuildError> {
        let defaults = Defaults {
            vocab_size: 256_000,
            hidden_size: 2304,
            intermediate_size: 9216,
            num_layers: 26,
            num_heads: 8,
            num_kv_heads: Some(4),
            max_position_embeddings: 8192,
            tie_word_embeddings: true,
            activation: ("hidden_activation", "gelu_pytorch_tanh"),
            ..LLAMA
        };
        let hf = hf::read(Self::NAME, config, defaults)?;
        if let Some(both) = hf
            .get("use_bidirectional_attention")
            .filter(|v| **v != json!(false))
        {
            let field = "use_bidirectional_attention";
            return Err(hf.unsupported(field, field, both, "a token sees none after it"));
        }
        let mut hf = hf
            .set("head_dim", &["head_dim"], 256)?
            .set("query_pre_attn_scalar", &["query_pre_attn_scalar"], 256)?
            .set("attention_bias", &["attention_bias"], false)?;
        for (cap, default) in [
            ("attn_logit_softcapping", 50.0),
            ("final_logit_softcapping", 30.0),
        ] {
            // Null is no cap, and nothing is the default.
            if hf.stated(cap) != Some(&Value::Null) {
                hf = hf.set(cap, &[cap], default)?;
            }
        }
        Ok(window::read_layers(hf, Some(4096))?.into_options())
    }

    fn to_hf(&self) -> Option<HfParts> {
        let shape = self.shape();
        let mut config = hf::fields("gemma2", "Gemma2ForCausalLM", &shape, Some(self.head_dim));
        config.append(&mut shape.variant.windows.fields(self.num_layers));
        for (field, value) in [
            ("hidden_activation", json!("gelu_pytorch_tanh")),
            ("query_pre_attn_scalar", json!(self.query_pre_attn_scalar)),
            ("attn_logit_softcapping", json!(self.attn_logit_softcapping)),
            (
                "final_logit_softcapping",
                json!(self.final_logit_softcapping),
            ),
            ("attention_bias", json!(self.attention_bias)),
        ] {
            config.insert(field.to_owned(), value);
        }
        let outer = Map::new();
        Some(HfParts { config, outer })
    }
}

menagerie_core::register_decoder!(Gemma2Config);

#[cfg(test)]
mod tests;
