//! The negative logarithm of a softmax, and its gradient.

use crate::isa::{Floats, Work, work};
use crate::level::Level;
use crate::math::exp;
use crate::schedule;
use crate::vectors::{COST, load, load_or, places, store, total};

/// Numbers whose exponentials are summed in f32, before the sums are added in f64.
const BLOCK: usize = 2048;

/// `−ln softmax(logits)[target]` of each row.
///
/// A row with a NaN or a +∞ has the loss NaN.
#[derive(Debug, Clone, Copy)]
pub struct CrossEntropy<'a> {
    targets: &'a [usize],
    vocab: usize,
    level: Level,
}

/// `logits` are `[row, vocab]`, `losses` one a row: what each row contributes. All methods return their sum, added
/// in f64 in the order of rows. They panic if there are not as many rows as targets. They run in rayon's current
/// pool if that is worth it.
impl<'a> CrossEntropy<'a> {
    /// Of rows of `vocab` logits, one for each target.
    ///
    /// # Panics
    /// If a target is not below `vocab`.
    pub fn new(targets: &'a [usize], vocab: usize) -> Self {
        for target in targets {
            assert!(*target < vocab, "target {target} among {vocab} logits");
        }
        Self {
            targets,
            vocab,
            level: Level::best(),
        }
    }

    /// With the instructions of a given level.
    ///
    /// # Panics
    /// Later, if the processor does not have the level.
    #[must_use]
    pub fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The losses.
    pub fn forward(&self, logits: &[f32], losses: &mut [f32]) -> f64 {
        self.check(logits.len(), losses.len());
        let cost = COST * logits.len();
        schedule::parts([&mut *losses], [1], cost, |first, [losses]| {
            let place = first * self.vocab;
            work(
                self.level,
                Forward {
                    targets: &self.targets[first..][..losses.len()],
                    logits: &logits[place..][..losses.len() * self.vocab],
                    losses,
                },
            );
        });
        sum(losses)
    }

    /// The losses, and `(softmax(logits) − onehot(target)) · scale` written over the logits: the gradient of the
    /// losses' sum times `scale`.
    pub fn gradient(&self, logits: &mut [f32], scale: f32, losses: &mut [f32]) -> f64 {
        self.check(logits.len(), losses.len());
        let cost = 2 * COST * logits.len();
        let slices = [logits, &mut *losses];
        schedule::parts(slices, [self.vocab, 1], cost, |first, [logits, losses]| {
            work(
                self.level,
                Gradient {
                    targets: &self.targets[first..][..losses.len()],
                    logits,
                    losses,
                    scale,
                },
            );
        });
        sum(losses)
    }

    fn check(&self, logits: usize, losses: usize) {
        self.level.check();
        let rows = self.targets.len();
        assert_eq!(losses, rows, "a loss for each target");
        assert_eq!(
            Some(logits),
            rows.checked_mul(self.vocab),
            "{logits} logits in {rows} rows of {}",
            self.vocab
        );
    }
}

fn sum(losses: &[f32]) -> f64 {
    losses.iter().copied().map(f64::from).sum()
}

/// The largest number of a row.
#[inline(always)]
fn largest<I: Floats>(isa: I, row: &[f32]) -> f32 {
    let (chunks, rest) = row.as_chunks();
    let mut most = isa.splat(f32::NEG_INFINITY);
    for chunk in chunks {
        most = isa.max(isa.load(chunk), most);
    }
    rest.iter().copied().fold(isa.largest(most), f32::max)
}

/// `ln Σ exp(x) − x[target]`, from the sum of `exp(x − most)`.
#[allow(clippy::cast_possible_truncation)]
fn loss(sum: f64, most: f32, target: f32) -> f32 {
    (sum.ln() + (f64::from(most) - f64::from(target))) as f32
}

struct Forward<'a> {
    targets: &'a [usize],
    logits: &'a [f32],
    losses: &'a mut [f32],
}

impl Work for Forward<'_> {
    #[inline(always)]
    fn run<I: Floats>(self, isa: I) {
        let width = self.logits.len() / self.targets.len();
        let rows = self.logits.chunks_exact(width).zip(self.targets);
        for ((row, target), out) in rows.zip(self.losses) {
            let most = largest(isa, row);
            let mut sum = 0.0;
            for block in row.chunks(BLOCK) {
                sum += f64::from(total!(isa, block.len(), at => exponential(isa, block, at, most)));
            }
            *out = loss(sum, most, row[*target]);
        }
    }
}

struct Gradient<'a> {
    targets: &'a [usize],
    logits: &'a mut [f32],
    losses: &'a mut [f32],
    scale: f32,
}

impl Work for Gradient<'_> {
    #[inline(always)]
    fn run<I: Floats>(self, isa: I) {
        let width = self.logits.len() / self.targets.len();
        let rows = self.logits.chunks_exact_mut(width).zip(self.targets);
        for ((row, target), out) in rows.zip(self.losses) {
            let most = largest(isa, row);
            let logit = row[*target];
            let mut sum = 0.0;
            for block in row.chunks_mut(BLOCK) {
                sum += f64::from(total!(isa, block.len(), at => {
                    let value = exponential(isa, block, at, most);
                    store(isa, block, at, value);
                    value
                }));
            }
            *out = loss(sum, most, logit);
            #[allow(clippy::cast_possible_truncation)]
            let factor = (f64::from(self.scale) / sum) as f32;
            for at in places(width) {
                let value = isa.mul(load(isa, row, at), isa.splat(factor));
                store(isa, row, at, value);
            }
            row[*target] -= self.scale;
        }
    }
}

/// `exp(x − most)` of the numbers at a place, and 0 past the end.
#[inline(always)]
fn exponential<I: Floats>(isa: I, row: &[f32], at: usize, most: f32) -> I::F32 {
    let logits = load_or(isa, row, at, f32::NEG_INFINITY);
    exp(isa, isa.sub(logits, isa.splat(most)))
}
