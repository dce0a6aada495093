//! The sizes of a decoder, whichever plugin's options they come from.

use burn::tensor::Device;
use menagerie_core::nn::Activation;
use menagerie_core::nn::{INITIALIZER_RANGE, Linear};
use menagerie_core::{Attend, BuildError, DecoderSpec};

use crate::rope::{Rope, RopeScaling};
use crate::window::Windows;

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
    /// What is added in norms, by the option that states it.
    pub norm_eps: (&'static str, f64),
    pub tie_word_embeddings: bool,
    pub biases: Biases,
    pub initializer_range: f64,
    pub variant: Variant,
}

/// The sizes that the options of every plugin state by the same names, with heads of `$head_dim` features
/// and what is added in norms under the option's own name. What a model does otherwise than LLaMA goes
/// over them: `Shape { biases, ..shape!(self, self.head_dim, rms_norm_eps) }`.
macro_rules! shape {
    ($config:expr, $head_dim:expr, $norm_eps:ident) => {
        $crate::shape::Shape {
            vocab_size: $config.vocab_size,
            hidden_size: $config.hidden_size,
            intermediate_size: $config.intermediate_size,
            num_layers: $config.num_layers,
            num_heads: $config.num_heads,
            num_kv_heads: $config.num_kv_heads.unwrap_or($config.num_heads),
            head_dim: $head_dim,
            max_position_embeddings: $config.max_position_embeddings,
            rope_theta: $config.rope_theta,
            rope_scaling: $config.rope_scaling.clone(),
            norm_eps: (stringify!($norm_eps), $config.$norm_eps),
            tie_word_embeddings: $config.tie_word_embeddings,
            biases: $crate::shape::Biases::default(),
            initializer_range: $config.initializer_range,
            variant: $crate::shape::Variant::default(),
        }
    };
}
pub(crate) use shape;

/// Which linear layers of a block have a bias.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Biases {
    pub query_key_value: bool,
    pub attention_output: bool,
    pub mlp: bool,
}

/// What a model does otherwise than LLaMA does.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Variant {
    /// The part of a head's features that turns, if not all.
    pub partial_rotary_factor: Option<f64>,
    /// Whether queries and keys have norms.
    pub qk_norm: bool,
    /// Whether the output layer has a bias.
    pub head_bias: bool,
    pub windows: Windows,
    /// What scores are divided by the root of, if not by that of `head_dim`.
    pub query_pre_attn_scalar: Option<f64>,
    pub score_cap: Option<f64>,
    pub logit_cap: Option<f64>,
    pub embed_scale: Option<f64>,
    pub activation: Activation,
}

impl Shape {
    pub(crate) fn rope(&self) -> Rope {
        Rope {
            dim: self.rotary_dim(),
            theta: self.rope_theta,
            max_position_embeddings: self.max_position_embeddings,
            scaling: self.rope_scaling.clone(),
        }
    }

    /// Features of a head that turn: the product is cut off to a whole number, as transformers does.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn rotary_dim(&self) -> usize {
        let factor = self.variant.partial_rotary_factor;
        factor.map_or(self.head_dim, |factor| {
            (self.head_dim as f64 * factor) as usize
        })
    }

    /// How block `index` attends.
    pub(crate) fn attend(&self, index: usize) -> Attend {
        let divisor = self.variant.query_pre_attn_scalar;
        let divisor = divisor.unwrap_or(self.head_dim as f64);
        Attend::from(divisor.powf(-0.5))
            .window(self.variant.windows.of(index))
            .soft_cap(self.variant.score_cap)
    }

    /// A fresh linear layer.
    pub(crate) fn linear(
        &self,
        input: usize,
        output: usize,
        bias: bool,
        device: &Device,
    ) -> Linear {
        Linear::with_std(input, output, bias, self.initializer_range, device)
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
        let (eps_key, eps) = self.norm_eps;
        if !(eps >= 0.0 && eps.is_finite()) {
            return invalid(eps_key, format!("is {eps}; it must be 0 or more"));
        }
        self.check_rotation(plugin)?;
        if !self.num_heads.is_multiple_of(self.num_kv_heads) {
            let (heads, kv_heads) = (self.num_heads, self.num_kv_heads);
            return invalid(
                "num_heads",
                format!("{heads} is no multiple of num_kv_heads = {kv_heads}"),
            );
        }
        self.variant.check(plugin)?;
        self.variant.windows.check(plugin, self.num_layers)?;
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

    fn check_rotation(&self, plugin: &str) -> Result<(), BuildError> {
        let (head_dim, turned) = (self.head_dim, self.rotary_dim());
        let Some(factor) = self.variant.partial_rotary_factor else {
            if head_dim.is_multiple_of(2) {
                return Ok(());
            }
            let message = format!("{head_dim} is not even, and rotary pairs its features");
            return Err(BuildError::invalid(plugin, "head_dim", message));
        };
        if turned > 0 && turned.is_multiple_of(2) && turned <= head_dim {
            return Ok(());
        }
        let message = format!(
            "of {head_dim} features {factor} is {turned}; what turns must be an even number of them, from 2 on"
        );
        Err(BuildError::invalid(
            plugin,
            "partial_rotary_factor",
            message,
        ))
    }
}

impl Variant {
    fn check(&self, plugin: &str) -> Result<(), BuildError> {
        let positive = [
            ("query_pre_attn_scalar", self.query_pre_attn_scalar),
            ("attn_logit_softcapping", self.score_cap),
            ("final_logit_softcapping", self.logit_cap),
        ];
        for (key, value) in positive {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && value.is_finite())) {
                let message = format!("is {value}; it must be greater than 0");
                return Err(BuildError::invalid(plugin, key, message));
            }
        }
        Ok(())
    }
}

/// The option's default in every plugin.
pub(crate) fn default_initializer_range() -> f64 {
    INITIALIZER_RANGE
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
