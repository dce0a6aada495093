//! Layers that are wider within than without.

use burn::tensor::Tensor;

use super::Linear;

/// Tokens of a part: as many as a product needs to take the time of its arithmetic and not that of reading its weight.
const TOKENS: usize = 256;

/// `layer(x)` of a layer that computes each token by itself and begins with `first`: `[batch, token, feature]` -> the
/// same.
///
/// With packed weights the layer gets 256 tokens at a time at most, with the same results: what it holds within, several
/// times as wide as `x`, does not grow with the prompt. Others are packed in each product, and multiply all at once.
pub fn in_parts(first: &Linear, x: Tensor<3>, layer: impl Fn(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
    let [batch, tokens, features] = x.dims();
    let parts = (batch * tokens).div_ceil(TOKENS);
    if parts < 2 || !first.is_packed() {
        return layer(x);
    }
    let x = x.reshape([1, batch * tokens, features]);
    let parts = x.chunk(parts, 1).into_iter().map(layer).collect();
    let out = Tensor::cat(parts, 1);
    let [_, _, features] = out.dims();
    out.reshape([batch, tokens, features])
}
