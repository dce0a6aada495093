//! The option `rope_scaling`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How rotary frequencies are stretched, by its `type`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum RopeScaling {
    /// Every frequency divided by one factor: position interpolation (arXiv 2306.15595).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// Once a pass goes beyond `max_position_embeddings`, a base that grows with its greatest
    /// position (NTK-aware).
    Dynamic {
        /// How fast the base grows.
        factor: f64,
    },
    /// Low frequencies divided, high ones kept, those between blended (Llama 3.1).
    Llama3 {
        /// Divisor of low frequencies.
        factor: f64,
        /// A frequency is low if it turns fewer times than this over the original length.
        low_freq_factor: f64,
        /// A frequency is high if it turns more times than this over the original length.
        high_freq_factor: f64,
        /// Longest sequence before the stretching, in tokens.
        original_max_position_embeddings: usize,
    },
    /// Low frequencies divided, high ones kept, those between blended along a ramp, and attention
    /// sharpened (arXiv 2309.00071).
    Yarn {
        /// Divisor of low frequencies.
        factor: f64,
        /// Longest sequence before the stretching, in tokens.
        original_max_position_embeddings: usize,
        /// Turns over the original length from which a frequency is kept.
        #[serde(default = "default_beta_fast")]
        beta_fast: f64,
        /// Turns over the original length up to which a frequency is divided.
        #[serde(default = "default_beta_slow")]
        beta_slow: f64,
        /// Factor of cosines and sines. Default: from `factor`, `mscale` and `mscale_all_dim`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attention_factor: Option<f64>,
        /// Weight of the logarithm in the numerator of the default attention factor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mscale: Option<f64>,
        /// Weight of the logarithm in its denominator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mscale_all_dim: Option<f64>,
        /// Whether the ramp begins and ends at whole features.
        #[serde(default = "default_truncate")]
        truncate: bool,
    },
    /// A divisor of its own for every frequency, as `rope_freqs.weight` of a GGUF file holds them.
    Factors {
        /// The divisors, `head_dim / 2` of them, from the highest frequency on.
        factors: Vec<f64>,
    },
    /// Divisors of their own for every frequency, one set for passes up to the original length and
    /// one for those that may go beyond it, and attention sharpened (LongRoPE, arXiv 2402.13753).
    Longrope {
        /// The divisors of passes up to the original length, from the highest frequency on.
        short_factor: Vec<f64>,
        /// The divisors of longer passes.
        long_factor: Vec<f64>,
        /// Longest sequence before the stretching, in tokens.
        original_max_position_embeddings: usize,
        /// How many times longer sequences became. Default: `max_position_embeddings` divided by the
        /// original length.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        factor: Option<f64>,
        /// Factor of cosines and sines. Default: from `factor` and the original length.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attention_factor: Option<f64>,
    },
}

pub(crate) fn default_beta_fast() -> f64 {
    32.0
}

pub(crate) fn default_beta_slow() -> f64 {
    1.0
}

pub(crate) fn default_truncate() -> bool {
    true
}
