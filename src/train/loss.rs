//! The loss of next-token prediction.

use burn::tensor::{Int, Tensor, TensorData};
use menagerie_core::nn::cross_entropy;
use menagerie_core::splice::{Padding, Splice, supervised};
use menagerie_core::{Network, VisualTokens};

/// Negative log-likelihoods of the supervised tokens, summed, and how many there are.
///
/// Logits are made only where a token is supervised, and in f32. The sum, and not the mean, lets
/// micro-batches add up to the mean over all supervised tokens of an optimizer batch. All logits
/// are held at once, and the whole graph: [`Pass`](super::Pass) is how training does it.
///
/// `samples`: token ids with their labels. `images`: those of the samples, in their order. `padding`:
/// how the samples are laid out in rows, which does not change the loss.
pub fn loss_sum(
    network: &Network,
    samples: &[(&[i64], &[i64])],
    images: Option<VisualTokens>,
    padding: Padding,
) -> (Tensor<1>, usize) {
    let ids: Vec<&[i64]> = samples.iter().map(|(ids, _)| *ids).collect();
    let counts = images
        .as_ref()
        .map_or_else(Vec::new, |images| images.counts.clone());
    let splice = Splice::new(&ids, &counts, padding);
    let targets = Targets::new(samples, &counts, &splice);
    let embeds = network.embed(&splice, images);
    let hidden = targets.rows(network.hidden(embeds, &splice.rows));
    let loss = targets.loss(network, hidden, 0);
    (loss, targets.len())
}

/// The supervised places of a batch: the slots (in `[batch · width]`) whose logits predict them, and
/// the tokens that are right.
pub(super) struct Targets {
    slots: Vec<i64>,
    tokens: Vec<usize>,
}

impl Targets {
    /// `images`: the tokens of each image of the samples.
    pub(super) fn new(samples: &[(&[i64], &[i64])], images: &[usize], splice: &Splice) -> Self {
        let (slots, tokens) = supervised(samples, images, &splice.starts)
            .into_iter()
            .map(|(slot, token)| (slot.cast_signed() as i64, id(token)))
            .unzip();
        Self { slots, tokens }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The hidden states that predict: `[batch, width, hidden]` -> `[target, hidden]`
    pub(super) fn rows(&self, hidden: Tensor<3>) -> Tensor<2> {
        let [batch, width, size] = hidden.dims();
        let slots = TensorData::new(self.slots.clone(), [self.slots.len()]);
        let slots = Tensor::<1, Int>::from_data(slots, &hidden.device().inner());
        hidden.reshape([batch * width, size]).select(0, slots)
    }

    /// Summed negative log-likelihoods of the targets from `start` on, predicted by `rows`
    /// (`[target, hidden]`).
    pub(super) fn loss(&self, network: &Network, rows: Tensor<2>, start: usize) -> Tensor<1> {
        let [count, _] = rows.dims();
        let logits = network.llm.logits(rows.unsqueeze());
        cross_entropy(logits, &self.tokens[start..start + count])
    }
}

fn id(token: i64) -> usize {
    usize::try_from(token).expect("what is supervised is a token of the vocabulary")
}
