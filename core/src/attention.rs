//! Scaled dot-product attention, shared by encoders and decoders.

use std::num::NonZeroUsize;
use std::sync::Arc;

use burn::tensor::activation::softmax;
use burn::tensor::{Bool, DType, Tensor};

use crate::native::{self, Attending, OnePass, Sight};

/// How a block of a decoder attends, beyond what padding, packing and causality hide
/// ([`Context::attend`](crate::Context::attend)). A number alone is a scale:
///
/// ```
/// # use std::num::NonZeroUsize;
/// # use menagerie_core::attention::Attend;
/// let plain = Attend::from(0.125);
/// let local = plain.window(NonZeroUsize::new(4096)).soft_cap(Some(50.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Attend {
    /// What products of queries and keys are multiplied by: `1 / √head_dim` as a rule.
    pub scale: f64,
    /// A token sees itself and the tokens of its segment before it, as many in all. Default: all.
    pub window: Option<NonZeroUsize>,
    /// The size that scores are held below, see [`soft_cap`]. Default: none.
    pub soft_cap: Option<f64>,
    /// Whether products on a CPU may round to bf16, with sums in f32, as those of the linear layers around
    /// them do (see [`Linear::rounds`](crate::nn::PackableLinear::rounds)). Default: false.
    pub rounds: bool,
}

impl From<f64> for Attend {
    fn from(scale: f64) -> Self {
        Self {
            scale,
            window: None,
            soft_cap: None,
            rounds: false,
        }
    }
}

impl Attend {
    /// The same with this window, in tokens, or without one.
    #[must_use]
    pub fn window(self, window: Option<NonZeroUsize>) -> Self {
        Self { window, ..self }
    }

    /// The same with this cap of scores, which must be above 0, or without one.
    #[must_use]
    pub fn soft_cap(self, soft_cap: Option<f64>) -> Self {
        Self { soft_cap, ..self }
    }

    /// The same with products that round to bf16, or do not.
    #[must_use]
    pub fn rounded(self, rounds: bool) -> Self {
        Self { rounds, ..self }
    }

    /// With who sees what; none is everything.
    pub(crate) fn over(self, sight: Option<Arc<Sight>>) -> Attending {
        Attending {
            scale: self.scale,
            soft_cap: self.soft_cap,
            rounds: self.rounds,
            sight,
        }
    }
}

/// `cap · tanh(x / cap)`: nearly `x` where that is small, and never beyond ±`cap`. Gemma 2 does so to
/// scores and to logits (arXiv 2408.00118).
#[must_use]
pub fn soft_cap<const D: usize>(x: Tensor<D>, cap: f64) -> Tensor<D> {
    if native::fuses(&x) {
        return native::soft_cap(x, cap);
    }
    native::one_pass(OnePass::SoftCap, x, |x| composed_soft_cap(x, cap))
}

/// The same by Burn's own operations.
pub(crate) fn composed_soft_cap<const D: usize>(x: Tensor<D>, cap: f64) -> Tensor<D> {
    x.div_scalar(cap).tanh().mul_scalar(cap)
}

/// `softmax(q kᵀ · scale) v`, every query looking at every key: an encoder's. Grouped queries: `heads` is a multiple
/// of `kv_heads`, and query head `h` reads key head `h / (heads / kv_heads)`. Keys and values are never repeated,
/// and on a CPU no score is held longer than its tile. The softmax is taken in f32 whatever the dtype.
///
/// `attend` is the scale alone, or an [`Attend`] without a window.
///
/// # Shapes
/// - `query`: `[batch, heads, token, head_dim]`
/// - `key`, `value`: `[batch, kv_heads, key_token, head_dim]`
/// - returns `[batch, heads, token, head_dim]`
pub fn attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    attend: impl Into<Attend>,
) -> Tensor<4> {
    let attend = attend.into();
    let given = [query.clone(), key.clone(), value.clone()];
    let attended = native::attention(given, &attend.over(None));
    attended.unwrap_or_else(|| {
        native::one_pass(OnePass::Attention, query, |query| {
            masked(query, key, value, None, attend)
        })
    })
}

/// As [`attention`], scores of what `mask` (`[batch or 1, token, key_token]`) hides left out; the window of `attend`
/// is the mask's.
pub(crate) fn masked(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    mask: Option<Tensor<3, Bool>>,
    attend: Attend,
) -> Tensor<4> {
    let [batch, heads, tokens, head_dim] = query.dims();
    let [_, kv_heads, keys, _] = key.dims();
    let group = heads / kv_heads;
    // A cache may keep a narrower type.
    let [key, value] = [key, value].map(|held| {
        if held.dtype() == query.dtype() {
            held
        } else {
            held.cast(query.dtype())
        }
    });

    // The heads of a group lie side by side, so they are rows of one product with their key head.
    let query = query.reshape([batch, kv_heads, group * tokens, head_dim]);
    let scores = query.mul_scalar(attend.scale).matmul(key.swap_dims(2, 3));
    let scores = match attend.soft_cap {
        None => scores,
        Some(cap) => composed_soft_cap(scores, cap),
    };
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
