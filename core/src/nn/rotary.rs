//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864).

use burn::tensor::Tensor;

use crate::native::{self, OnePass};

/// Turns feature `i` of each head with feature `i + dim / 2`, as Hugging Face's LLaMA checkpoints lay them out, by an
/// angle of the token; features after the first `dim` stay as they are.
///
/// # Shapes
/// - `x`: `[batch, heads, token, head_dim]`, which is also the result's
/// - `cos`, `sin` of the angles: `[batch, 1, token, dim / 2]`; no gradient flows to them
#[must_use]
pub fn turn_halves(x: Tensor<4>, cos: Tensor<4>, sin: Tensor<4>) -> Tensor<4> {
    let is_of_each_row = x.dims()[0] == cos.dims()[0];
    if is_of_each_row && [&x, &cos, &sin].into_iter().all(native::fuses) {
        return native::turn(x, cos, sin);
    }
    native::one_pass(OnePass::Rotary, x, |x| composed(x, cos, sin))
}

/// By Burn's own operations.
pub(super) fn composed(x: Tensor<4>, cos: Tensor<4>, sin: Tensor<4>) -> Tensor<4> {
    let [_, _, _, head_dim] = x.dims();
    let [_, _, _, half] = cos.dims();
    let rest = head_dim - 2 * half;
    let rest = (rest > 0).then(|| x.clone().narrow(3, 2 * half, rest));
    let first = x.clone().narrow(3, 0, half);
    let second = x.narrow(3, half, half);
    let turned_first = first.clone() * cos.clone() - second.clone() * sin.clone();
    let turned_second = second * cos + first * sin;
    let parts = [turned_first, turned_second].into_iter().chain(rest);
    Tensor::cat(parts.collect(), 3)
}
