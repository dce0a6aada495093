//! Which samples every forward pass of a stage takes.

use menagerie_core::Stage;

use crate::data::order;

/// The batches of a stage, known before its first step.
#[derive(Debug)]
pub(super) struct Batches<'s> {
    pub table: &'s Stage,
    /// The stage's name.
    pub stage: &'s str,
    pub seed: u64,
    /// Samples of the data.
    pub samples: usize,
    /// Optimizer steps.
    pub steps: usize,
}

impl Batches<'_> {
    /// The samples of every forward pass from `step` on, in order.
    pub(super) fn passes_from(&self, step: usize) -> Vec<Vec<usize>> {
        let epochs = (0..).flat_map(|epoch| {
            let order = order(
                self.table.sampler,
                self.samples,
                self.seed,
                self.stage,
                epoch,
            );
            let batches = order.chunks(self.table.batch_size).map(<[usize]>::to_vec);
            batches.collect::<Vec<_>>()
        });
        let micro = self.table.micro_batch_size();
        let batches = epochs.take(self.steps).skip(step);
        batches
            .flat_map(|batch| {
                batch
                    .chunks(micro)
                    .map(<[usize]>::to_vec)
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Forward passes of a step.
    pub(super) fn passes_of(&self, step: usize) -> usize {
        let (len, size) = (self.samples, self.table.batch_size);
        let place = step % len.div_ceil(size);
        let samples = size.min(len - place * size);
        samples.div_ceil(self.table.micro_batch_size())
    }
}
