//! Layers that the plugins share.

mod embedding;
mod linear;

pub use embedding::{Embedding, PackableEmbedding};
pub use linear::{Linear, PackableLinear};

use burn::module::{Initializer, Module, Param};
use burn::tensor::module::layer_norm;
use burn::tensor::{DType, Device, Tensor};

/// Standard deviation of freshly initialised weights, as CLIP, LLaMA and LLaVA's projector
/// configurations state it (`initializer_range`).
pub const INITIALIZER_RANGE: f64 = 0.02;

/// Fresh weights from `N(0, std²)`.
#[must_use]
pub fn normal(std: f64) -> Initializer {
    Initializer::Normal { mean: 0.0, std }
}

/// Layer norm (Ba et al. 2016, arXiv 1607.06450).
///
/// `(x − mean) / sqrt(var + ε) · gamma + beta`, computed in f32 whatever the input's dtype. Burn's own
/// does so for f16 alone, and takes the mean and the variance of bf16 in bf16.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[size]`
    pub gamma: Param<Tensor<1>>,
    /// `[size]`
    pub beta: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    /// A norm over the last `size` features: `gamma` ones and `beta` zeros.
    #[must_use]
    pub fn new(size: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([size], device),
            beta: Initializer::Zeros.init([size], device),
            epsilon,
        }
    }

    /// `[…, size]` -> the same
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let dtype = x.dtype();
        let [gamma, beta] = [&self.gamma, &self.beta].map(|param| param.val().cast(DType::F32));
        layer_norm(x.cast(DType::F32), gamma, Some(beta), self.epsilon).cast(dtype)
    }
}

/// Splits `[batch, token, heads · head_dim]` into `[batch, heads, token, head_dim]`.
#[must_use]
pub fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, width] = x.dims();
    x.reshape([batch, tokens, heads, width / heads])
        .swap_dims(1, 2)
}

/// Joins `[batch, heads, token, head_dim]` into `[batch, token, heads · head_dim]`.
#[must_use]
pub fn join_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, tokens, head_dim] = x.dims();
    x.swap_dims(1, 2).reshape([batch, tokens, heads * head_dim])
}
