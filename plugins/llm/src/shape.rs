//! The sizes of a decoder of LLaMA's make, whichever plugin's options they come from.

use menagerie_core::{BuildError, DecoderSpec};

use crate::rope::{Rope, RopeScaling};

/// What [`Transformer`](crate::Transformer) is built from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_layers: usize,
    pub num_heads: usize,
    pub num_kv_heads: usize,
    pub head_dim: usize,
    pub max_position_embeddings: usize,
    pub rope_theta: f64,
    pub rope_scaling: Option<RopeScaling>,
    pub rms_norm_eps: f64,
    pub tie_word_embeddings: bool,
    pub biases: Biases,
    pub initializer_range: f64,
}

/// Which linear layers of a block have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Biases {
    pub query_key_value: bool,
    pub attention_output: bool,
    pub mlp: bool,
}

impl Shape {
    pub(crate) fn rope(&self) -> Rope {
        Rope {
            head_dim: self.head_dim,
            theta: self.rope_theta,
            max_position_embeddings: self.max_position_embeddings,
            scaling: self.rope_scaling.clone(),
        }
    }

    /// Checks the sizes, which `plugin` calls as they are called here, and states them.
    pub(crate) fn spec(&self, plugin: &str) -> Result<DecoderSpec, BuildError> {
        let invalid = |key, message: String| Err(BuildError::invalid(plugin, key, message));
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_layers", self.num_layers),
            ("num_heads", self.num_heads),
            ("num_kv_heads", self.num_kv_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        BuildError::check_sizes(plugin, sizes)?;
        if !(self.rms_norm_eps >= 0.0 && self.rms_norm_eps.is_finite()) {
            let message = format!("is {}; it must be 0 or more", self.rms_norm_eps);
            return invalid("rms_norm_eps", message);
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) {
            return invalid(
                "head_dim",
                format!(
                    "{} is not even, and rotary pairs its features",
                    self.head_dim
                ),
            );
        }
        if !self.num_heads.is_multiple_of(self.num_kv_heads) {
            let (heads, kv_heads) = (self.num_heads, self.num_kv_heads);
            return invalid(
                "num_heads",
                format!("{heads} is no multiple of num_kv_heads = {kv_heads}"),
            );
        }
        self.rope().check(plugin)?;
        Ok(DecoderSpec {
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            max_position_embeddings: self.max_position_embeddings,
            num_layers: self.num_layers,
            num_kv_heads: self.num_kv_heads,
            head_dim: self.head_dim,
        })
    }
}

/// Features of a head: as stated, or `hidden_size / num_heads`.
pub(crate) fn head_dim(
    plugin: &str,
    stated: Option<usize>,
    hidden_size: usize,
    num_heads: usize,
) -> Result<usize, BuildError> {
    let divided = hidden_size.checked_div(num_heads).unwrap_or(0);
    if stated.is_none() && divided * num_heads != hidden_size {
        let message = format!("{hidden_size} is no multiple of num_heads = {num_heads}");
        return Err(BuildError::invalid(plugin, "hidden_size", message));
    }
    Ok(stated.unwrap_or(divided))
}
