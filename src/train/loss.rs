//! The loss of next-token prediction.

use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Int, Tensor, TensorData};
use menagerie_core::network::Network;
use menagerie_core::splice::{Padding, Splice, supervised};

/// Negative log-likelihoods of the supervised tokens, summed, and how many there are.
///
/// Logits are made only where a token is supervised, and in f32. The sum, and not the mean, lets
/// micro-batches add up to the mean over all supervised tokens of an optimizer batch.
///
/// `samples`: token ids with their labels. `images`: `[image, visual_token, hidden]`, in the order
/// of the samples. `padding`: how the samples are laid out in rows, which does not change the loss.
pub fn loss_sum(
    network: &Network,
    samples: &[(&[i64], &[i64])],
    images: Option<Tensor<3>>,
    visual_tokens: usize,
    padding: Padding,
) -> (Tensor<1>, usize) {
    let ids: Vec<&[i64]> = samples.iter().map(|(ids, _)| *ids).collect();
    let splice = Splice::new(&ids, visual_tokens, padding);
    let (slots, targets): (Vec<usize>, Vec<i64>) =
        supervised(samples, visual_tokens, &splice.starts)
            .into_iter()
            .unzip();

    let embeds = network.embed(&splice, images);
    let hidden = network.hidden(embeds, &splice.rows);
    let [batch, width, size] = hidden.dims();
    let device = network.device();
    let count = slots.len();
    let slots: Vec<i64> = slots
        .into_iter()
        .map(|slot| slot.cast_signed() as i64)
        .collect();
    let slots: Tensor<1, Int> = Tensor::from_data(TensorData::new(slots, [count]), &device);
    let hidden = hidden.reshape([batch * width, size]).select(0, slots);
    let logits = network.llm.logits(hidden.unsqueeze()).cast(DType::F32);

    let targets: Tensor<3, Int> =
        Tensor::from_data(TensorData::new(targets, [1, count, 1]), &device);
    let log_likelihoods = log_softmax(logits, 2).gather(2, targets);
    (log_likelihoods.sum().neg(), count)
}
