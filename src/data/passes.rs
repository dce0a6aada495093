//! Which samples every forward pass of a stage takes.

use std::sync::Arc;

use super::order::Order;

/// The forward passes of a stage: epochs, cut into the batches of optimizer steps, cut into
/// micro-batches.
#[derive(Debug, Clone)]
pub struct Passes {
    order: Arc<Order>,
    micro_batch_size: usize,
    steps: usize,
}

impl Passes {
    /// The passes of so many optimizer steps, each of at most `micro_batch_size` samples.
    #[must_use]
    pub fn new(order: Order, micro_batch_size: usize, steps: usize) -> Self {
        Self {
            order: Arc::new(order),
            micro_batch_size,
            steps,
        }
    }

    /// Optimizer steps of an epoch.
    fn epoch_steps(&self) -> usize {
        self.order.mix.len().div_ceil(self.order.batch_size)
    }

    /// Samples of a step.
    fn samples_of(&self, step: usize) -> usize {
        let size = self.order.batch_size;
        let place = step % self.epoch_steps();
        size.min(self.order.mix.len() - place * size)
    }

    /// Forward passes of a step, from 0.
    #[must_use]
    pub fn of_step(&self, step: usize) -> usize {
        self.samples_of(step).div_ceil(self.micro_batch_size)
    }

    /// The samples of every pass from optimizer step `step` on, to the end of the stage: what is
    /// left of the whole once the steps before are gone. Holds one epoch at a time.
    #[must_use]
    pub fn from_step(&self, step: usize) -> PassIter {
        PassIter {
            left: (step..self.steps).map(|step| self.of_step(step)).sum(),
            passes: self.clone(),
            step,
            taken: 0,
            epoch: None,
        }
    }
}

/// The passes of a stage from some step on, in order.
#[derive(Debug, Clone)]
pub struct PassIter {
    passes: Passes,
    /// The step that the next pass is of.
    step: usize,
    /// Samples that earlier passes of the step took.
    taken: usize,
    /// The epoch of the last pass and its number.
    epoch: Option<(usize, Vec<usize>)>,
    left: usize,
}

impl Iterator for PassIter {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        self.left = self.left.checked_sub(1)?;
        let steps = self.passes.epoch_steps();
        let number = self.step / steps;
        let (_, epoch) = match self.epoch.take() {
            Some(epoch) if epoch.0 == number => self.epoch.insert(epoch),
            _ => self.epoch.insert((number, self.passes.order.epoch(number))),
        };
        let first = self.step % steps * self.passes.order.batch_size;
        let samples = self.passes.samples_of(self.step);
        let end = samples.min(self.taken + self.passes.micro_batch_size);
        let pass = epoch[first + self.taken..first + end].to_vec();
        if end == samples {
            (self.step, self.taken) = (self.step + 1, 0);
        } else {
            self.taken = end;
        }
        Some(pass)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for PassIter {}

#[cfg(test)]
mod tests {
    use menagerie_core::recipe::Sampler;

    use super::super::{Mix, SampleSize};
    use super::*;

    fn passes(steps: usize) -> Passes {
        let size = |length| SampleSize {
            length,
            has_image: true,
        };
        let order = Order {
            sampler: Sampler::Sequential,
            mix: Mix::new([(0..5, 1.0), (5..9, 0.5)]),
            sizes: (0..9).map(size).collect(),
            seed: 0,
            stage: "align".to_owned(),
            batch_size: 4,
        };
        Passes::new(order, 3, steps)
    }

    #[test]
    fn an_epoch_is_cut_into_batches_and_those_into_passes() {
        let passes = passes(3);
        let all: Vec<Vec<usize>> = passes.from_step(0).collect();
        let expected: [&[usize]; 5] = [&[0, 1, 2], &[3], &[4, 5, 6], &[0, 1, 2], &[3]];
        assert_eq!(all, expected);
        assert_eq!([0, 1, 2].map(|step| passes.of_step(step)), [2, 1, 2]);
        let next: Vec<_> = self::passes(4).from_step(3).collect();
        assert_eq!(next, [[4, 7, 8]]);
        assert_eq!(passes.from_step(3).next(), None);
    }
}
