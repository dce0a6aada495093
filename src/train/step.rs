//! One optimizer step: forward and backward passes over the micro-batches of a batch.

use menagerie_core::Model;
use menagerie_core::network::Network;
use menagerie_core::splice::expanded_lens;

use super::gradients::GradientSet;
use super::pass::{Pass, PassOptions};
use crate::data::Batch;
use crate::features::FeatureCache;

/// The forward and backward passes of one optimizer step.
pub(super) struct Step<'a> {
    model: &'a Model,
    pass: Pass<'a>,
    /// The features of images, if they are kept.
    features: Option<&'a FeatureCache>,
    gradients: GradientSet,
    loss_sum: f64,
    supervised_tokens: usize,
    tokens: usize,
    samples: Vec<String>,
}

/// What they gave.
pub(super) struct StepDone {
    /// Mean over the supervised tokens.
    pub loss: f64,
    pub gradients: GradientSet,
    pub supervised_tokens: usize,
    /// All tokens, visual ones too, without padding.
    pub tokens: usize,
    /// Ids of the batch's samples.
    pub samples: Vec<String>,
}

impl<'a> Step<'a> {
    pub(super) fn new(
        model: &'a Model,
        network: &'a Network,
        options: PassOptions,
        features: Option<&'a FeatureCache>,
    ) -> Self {
        Self {
            model,
            features,
            pass: Pass::new(model, network, options),
            gradients: GradientSet::default(),
            loss_sum: 0.0,
            supervised_tokens: 0,
            tokens: 0,
            samples: Vec::new(),
        }
    }

    /// Takes one micro-batch's loss and gradients.
    pub(super) fn pass(&mut self, batch: Batch) {
        let rows: Vec<(&[i64], &[i64])> = batch
            .samples
            .iter()
            .map(|sample| (sample.input_ids.as_slice(), sample.labels.as_slice()))
            .collect();
        let ids: Vec<&[i64]> = rows.iter().map(|(ids, _)| *ids).collect();
        let images = self.model.square_tokens().of_each(&batch.images.layouts);
        self.tokens += expanded_lens(&ids, &images).iter().sum::<usize>();
        let done = match self.features {
            Some(cache) => {
                let features = cache.features(self.model, &batch.images, batch.known);
                self.pass.run_seen(&rows, features)
            }
            None => self.pass.run(&rows, self.model.images(batch.images)),
        };
        self.gradients.add(done.gradients);
        self.loss_sum += done.loss_sum;
        self.supervised_tokens += done.supervised_tokens;
        self.samples
            .extend(batch.samples.into_iter().map(|sample| sample.id));
    }

    /// Sums become means over the supervised tokens.
    pub(super) fn finish(mut self) -> StepDone {
        let tokens = self.supervised_tokens as f64;
        self.gradients.scale(1.0 / tokens);
        StepDone {
            loss: self.loss_sum / tokens,
            gradients: self.gradients,
            supervised_tokens: self.supervised_tokens,
            tokens: self.tokens,
            samples: self.samples,
        }
    }
}
