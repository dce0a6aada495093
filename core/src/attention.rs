//! Scaled dot-product attention, shared by encoders and decoders.

use burn::tensor::activation::softmax;
use burn::tensor::{Bool, DType, Tensor};

/// `softmax(q kᵀ · scale + mask) v`, with grouped queries: `heads` is a multiple of `kv_heads`, and
/// query head `h` reads key head `h / (heads / kv_heads)`. Keys and values are never repeated. The
/// softmax is taken in f32 whatever the dtype.
///
/// # Shapes
/// - `query`: `[batch, heads, token, head_dim]`
/// - `key`, `value`: `[batch, kv_heads, key_token, head_dim]`
/// - `mask`: `[batch or 1, token, key_token]`, `true` where a query must not look
/// - returns `[batch, heads, token, head_dim]`
pub fn attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    mask: Option<Tensor<3, Bool>>,
    scale: f64,
) -> Tensor<4> {
    let [batch, heads, tokens, head_dim] = query.dims();
    let [_, kv_heads, keys, _] = key.dims();
    let group = heads / kv_heads;

    // The heads of a group lie side by side, so they are rows of one product with their key head.
    let query = query.reshape([batch, kv_heads, group * tokens, head_dim]);
    let scores = query.mul_scalar(scale).matmul(key.swap_dims(2, 3));
    let scores = match mask {
        None => scores,
        Some(mask) => {
            let [mask_batch, _, _] = mask.dims();
            let mask = mask
                .reshape([mask_batch, 1, tokens, keys])
                .expand([batch, heads, tokens, keys]);
            scores
                .reshape([batch, heads, tokens, keys])
                .mask_fill(mask, f32::NEG_INFINITY)
                .reshape([batch, kv_heads, group * tokens, keys])
        }
    };
    let dtype = scores.dtype();
    softmax(scores.cast(DType::F32), 3)
        .cast(dtype)
        .matmul(value)
        .reshape([batch, heads, tokens, head_dim])
}
