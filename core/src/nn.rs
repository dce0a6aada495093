//! Layers that the plugins share.

mod activation;
mod embedding;
mod linear;
mod loss;
mod norm;
mod parts;
mod rotary;

pub use activation::Activation;
pub use embedding::{Embedding, PackableEmbedding};
pub use linear::{Linear, PackableLinear};
pub use loss::cross_entropy;
pub use norm::{LayerNorm, OffsetRmsNorm, RmsNorm};
pub use parts::in_parts;
pub use rotary::turn_halves;

use burn::module::Initializer;
use burn::tensor::Tensor;

/// Standard deviation of freshly initialised weights, as CLIP, LLaMA and LLaVA's projector
/// configurations state it (`initializer_range`).
pub const INITIALIZER_RANGE: f64 = 0.02;

/// Fresh weights from `N(0, std²)`.
#[must_use]
pub fn normal(std: f64) -> Initializer {
    Initializer::Normal { mean: 0.0, std }
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

#[cfg(test)]
mod tests;
