//! Operations on numbers at the same place of several slices.

use crate::isa::{Floats, LANES, Work, work};
use crate::level::Level;
use crate::schedule;
use crate::vectors::{COST, load, places, store};

/// What becomes of the numbers at one place.
pub(crate) trait Pointwise<const OUT: usize, const IN: usize>: Copy + Send + Sync {
    /// The new numbers, from those that were there before and those that are only read.
    fn apply<I: Floats>(self, isa: I, before: [I::F32; OUT], inputs: [I::F32; IN])
    -> [I::F32; OUT];
}

/// Applies it to all places, in threads if there are many. What was there before is read only where the operation
/// uses it.
pub(crate) fn pointwise<const OUT: usize, const IN: usize>(
    level: Level,
    operation: impl Pointwise<OUT, IN>,
    outputs: [&mut [f32]; OUT],
    inputs: [&[f32]; IN],
) {
    level.check();
    let count = outputs[0].len();
    for length in outputs
        .iter()
        .map(|slice| slice.len())
        .chain(inputs.iter().map(|slice| slice.len()))
    {
        assert_eq!(length, count, "numbers that belong together");
    }
    let cost = COST * (OUT + IN) * count / 2;
    schedule::parts(outputs, [LANES; OUT], cost, |grain, outputs| {
        let (first, length) = (grain * LANES, outputs[0].len());
        work(
            level,
            Part {
                operation,
                inputs: inputs.map(|input| &input[first..][..length]),
                outputs,
            },
        );
    });
}

struct Part<'a, P, const OUT: usize, const IN: usize> {
    operation: P,
    outputs: [&'a mut [f32]; OUT],
    inputs: [&'a [f32]; IN],
}

impl<P: Pointwise<OUT, IN>, const OUT: usize, const IN: usize> Work for Part<'_, P, OUT, IN> {
    #[inline(always)]
    fn run<I: Floats>(mut self, isa: I) {
        for at in places(self.outputs[0].len()) {
            let mut before = [isa.splat(0.0); OUT];
            for (before, output) in before.iter_mut().zip(&self.outputs) {
                *before = load(isa, output, at);
            }
            let mut values = [isa.splat(0.0); IN];
            for (value, input) in values.iter_mut().zip(&self.inputs) {
                *value = load(isa, input, at);
            }
            let after = self.operation.apply(isa, before, values);
            for (after, output) in after.into_iter().zip(&mut self.outputs) {
                store(isa, output, at, after);
            }
        }
    }
}
