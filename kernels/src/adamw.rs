//! Steps of AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), as PyTorch computes them, and the norm
//! that gradients are clipped by.

use crate::isa::{Floats, LANES, Work, work};
use crate::level::Level;
use crate::line::{lines, view_mut};
use crate::pointwise::{Pointwise, pointwise};
use crate::schedule;
use crate::scratch::Scratch;
use crate::vectors::{COST, load, total};

/// What a step of one parameter is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// The learning rate.
    pub learning_rate: f64,
    /// Share of a weight removed in a step, times the learning rate.
    pub weight_decay: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Number of the step, the first being 1.
    pub step: i32,
    /// What the gradient is multiplied with beforehand: less than 1 where it is clipped.
    pub gradient_scale: f64,
}

impl AdamWStep {
    /// One step, in one pass over memory: `weight`, `first` and `second` (the mean of the gradients and of their
    /// squares) become those after it.
    ///
    /// Each operation is rounded by itself, at every level in the same order, so results are the same
    /// to the bit everywhere. Runs in rayon's current pool if that is worth it.
    ///
    /// # Panics
    /// If slices differ in length.
    pub fn apply(
        self,
        weight: &mut [f32],
        first: &mut [f32],
        second: &mut [f32],
        gradient: &[f32],
    ) {
        self.apply_at(Level::best(), weight, first, second, gradient);
    }

    /// The same with the instructions of a given level.
    ///
    /// # Panics
    /// As [`AdamWStep::apply`], and if the processor does not have the level.
    pub fn apply_at(
        self,
        level: Level,
        weight: &mut [f32],
        first: &mut [f32],
        second: &mut [f32],
        gradient: &[f32],
    ) {
        pointwise(level, self.factors(), [weight, first, second], [gradient]);
    }

    /// Its numbers in f32, as far as they are the same for all weights.
    #[allow(clippy::cast_possible_truncation)]
    fn factors(self) -> Factors {
        let [correction1, correction2] =
            [self.beta1, self.beta2].map(|beta| 1.0 - beta.powi(self.step));
        Factors {
            gradient: self.gradient_scale as f32,
            first: [self.beta1 as f32, (1.0 - self.beta1) as f32],
            second: [self.beta2 as f32, (1.0 - self.beta2) as f32],
            correction: correction2.sqrt() as f32,
            epsilon: self.epsilon as f32,
            rate: (self.learning_rate / correction1) as f32,
            keep: (1.0 - self.learning_rate * self.weight_decay) as f32,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Factors {
    gradient: f32,
    /// Of what was there before, and of what is new.
    first: [f32; 2],
    second: [f32; 2],
    correction: f32,
    epsilon: f32,
    rate: f32,
    keep: f32,
}

impl Pointwise<3, 1> for Factors {
    #[inline(always)]
    fn apply<I: Floats>(
        self,
        isa: I,
        [weight, first, second]: [I::F32; 3],
        [gradient]: [I::F32; 1],
    ) -> [I::F32; 3] {
        let gradient = isa.mul(gradient, isa.splat(self.gradient));
        let first = mix(isa, first, self.first, gradient);
        let second = mix(isa, second, self.second, isa.mul(gradient, gradient));
        let root = isa.div(isa.sqrt(second), isa.splat(self.correction));
        let scale = isa.add(root, isa.splat(self.epsilon));
        let change = isa.mul(isa.div(first, scale), isa.splat(self.rate));
        let weight = isa.sub(isa.mul(weight, isa.splat(self.keep)), change);
        [weight, first, second]
    }
}

/// `before · keep + new · share`
#[inline(always)]
fn mix<I: Floats>(isa: I, before: I::F32, [keep, share]: [f32; 2], new: I::F32) -> I::F32 {
    isa.add(
        isa.mul(before, isa.splat(keep)),
        isa.mul(new, isa.splat(share)),
    )
}

/// Squares that are summed in f32, before the sums are added in f64.
const BLOCK: usize = 64 * LANES;

/// The sum of all squares, in an order that depends on nothing but their number: those of 1024 neighbours in f32,
/// and their sums in f64. Runs in rayon's current pool if that is worth it.
pub fn sum_of_squares(numbers: &[f32]) -> f64 {
    sum_of_squares_at(Level::best(), numbers)
}

/// The same with the instructions of a given level.
///
/// # Panics
/// If the processor does not have the level.
pub fn sum_of_squares_at(level: Level, numbers: &[f32]) -> f64 {
    level.check();
    let count = numbers.len().div_ceil(BLOCK);
    Scratch::with(|scratch| {
        let [memory, ..] = scratch.lines([lines::<f32>(count), 0, 0]);
        let sums = view_mut::<f32>(memory, count);
        let cost = COST / 2 * numbers.len();
        schedule::parts([&mut *sums], [1], cost, |first, [sums]| {
            let numbers = &numbers[first * BLOCK..];
            work(level, Squares { numbers, sums });
        });
        sums.iter().copied().map(f64::from).sum()
    })
}

struct Squares<'a> {
    numbers: &'a [f32],
    sums: &'a mut [f32],
}

impl Work for Squares<'_> {
    #[inline(always)]
    fn run<I: Floats>(self, isa: I) {
        for (sum, block) in self.sums.iter_mut().zip(self.numbers.chunks(BLOCK)) {
            *sum = total!(isa, block.len(), at => {
                let numbers = load(isa, block, at);
                isa.mul(numbers, numbers)
            });
        }
    }
}
