//! How answers are drawn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How answers are drawn: `[llm.generation]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GenerationConfig {
    /// Divides the logits; 0 takes the likeliest token (greedy).
    #[schemars(range(min = 0.0))]
    pub temperature: f64,
    /// Draw from the likeliest tokens that together hold this probability; 1 is off.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub top_p: f64,
    /// Draw from this many of the likeliest tokens; 0 is off.
    pub top_k: usize,
    /// Draw from tokens at least this likely, relative to the likeliest; 0 is off.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_p: f64,
    /// Divides the logits of tokens already seen; 1 is off.
    #[schemars(range(min = 0.0))]
    pub repetition_penalty: f64,
    /// Longest answer, in tokens.
    #[schemars(range(min = 1))]
    pub max_new_tokens: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// Texts that end an answer; they are not part of it.
    pub stop: Vec<String>,
}

impl Default for GenerationConfig {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            max_new_tokens: 512,
            seed: 42,
            stop: Vec::new(),
        }
    }
}
