//! The loss of next-token prediction.

use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::native::{self, OnePass};

/// `−Σ ln softmax(logits)[target]` over all targets, in f32: `[1]`. On a CPU the logits and their gradient take the
/// same memory.
///
/// `logits`: `[1, target, vocab]`; `targets`: a token for each.
///
/// # Panics
/// If there are not as many targets as rows of logits, or one is not below `vocab`.
#[must_use]
pub fn cross_entropy(logits: Tensor<3>, targets: &[usize]) -> Tensor<1> {
    let logits = logits.cast(DType::F32);
    if native::fuses(&logits) {
        return native::cross_entropy(logits, targets.to_vec());
    }
    native::one_pass(OnePass::Loss, logits, |logits| composed(logits, targets))
}

/// By Burn's own operations.
pub(super) fn composed(logits: Tensor<3>, targets: &[usize]) -> Tensor<1> {
    let count = targets.len();
    let tokens = targets.iter().map(|&token| token.cast_signed() as i64);
    let tokens = TensorData::new(tokens.collect::<Vec<i64>>(), [1, count, 1]);
    let tokens: Tensor<3, Int> = Tensor::from_data(tokens, &logits.device().inner());
    log_softmax(logits, 2).gather(2, tokens).sum().neg()
}
