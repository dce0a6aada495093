//! Biases: one number for each column of all rows.

use crate::isa::{Floats, Work, work};
use crate::level::Level;
use crate::line::{lines, view_mut};
use crate::schedule;
use crate::scratch::Scratch;
use crate::vectors::{COST, load, places, store};

/// Rows that are summed one after the other; at most so many sums are kept at a time.
const ROWS: usize = 32;
const SUMS: usize = 32;

/// `y = y + bias`, and a residual of `y`'s size if there is one, in one pass: what follows a product that
/// does not add them itself.
///
/// Runs in rayon's current pool if that is worth it.
///
/// # Panics
/// If `y` is no whole number of rows as wide as the bias, or the residual has another length.
pub fn add_bias(bias: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
    add_bias_at(Level::best(), bias, residual, y);
}

/// The same with the instructions of a given level.
///
/// # Panics
/// As [`add_bias`], and if the processor does not have the level.
pub fn add_bias_at(level: Level, bias: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
    level.check();
    let width = bias.len();
    check(y.len(), width);
    if let Some(residual) = residual {
        assert_eq!(residual.len(), y.len(), "numbers that belong together");
    }
    let cost = COST * y.len();
    schedule::parts([y], [width], cost, |row, [y]| {
        let first = row * width;
        let residual = residual.map(|residual| &residual[first..][..y.len()]);
        work(level, Add { bias, residual, y });
    });
}

/// The sum of each column of `x` `[row, column]`: the gradient of a bias. Written to `sums`, whatever they were before,
/// in an order of additions that depends on nothing but the number of rows.
///
/// Runs in rayon's current pool if that is worth it.
///
/// # Panics
/// If `x` is no whole number of rows as wide as `sums`.
pub fn column_sums(x: &[f32], sums: &mut [f32]) {
    column_sums_at(Level::best(), x, sums);
}

/// The same with the instructions of a given level.
///
/// # Panics
/// As [`column_sums`], and if the processor does not have the level.
pub fn column_sums_at(level: Level, x: &[f32], sums: &mut [f32]) {
    level.check();
    let width = sums.len();
    check(x.len(), width);
    sums.fill(0.0);
    if x.is_empty() {
        return;
    }
    let grain = (x.len() / width).div_ceil(SUMS).max(ROWS) * width;
    let count = x.len().div_ceil(grain);
    Scratch::with(|scratch| {
        let [memory, ..] = scratch.lines([lines::<f32>(count * width), 0, 0]);
        let parts = view_mut::<f32>(memory, count * width);
        schedule::parts(
            [&mut *parts],
            [width],
            COST * x.len() / 2,
            |first, [parts]| {
                for (part, x) in parts
                    .chunks_exact_mut(width)
                    .zip(x[first * grain..].chunks(grain))
                {
                    part.fill(0.0);
                    work(level, Sum { x, sums: part });
                }
            },
        );
        work(level, Sum { x: parts, sums });
    });
}

fn check(length: usize, width: usize) {
    assert!(
        length.is_multiple_of(width),
        "{length} numbers in rows of {width}"
    );
}

struct Add<'a> {
    bias: &'a [f32],
    residual: Option<&'a [f32]>,
    y: &'a mut [f32],
}

impl Work for Add<'_> {
    #[inline(always)]
    fn run<I: Floats>(self, isa: I) {
        let width = self.bias.len();
        for (row, y) in self.y.chunks_exact_mut(width).enumerate() {
            let residual = self
                .residual
                .map(|residual| &residual[row * width..][..width]);
            for at in places(width) {
                let mut sum = isa.add(load(isa, y, at), load(isa, self.bias, at));
                if let Some(residual) = residual {
                    sum = isa.add(sum, load(isa, residual, at));
                }
                store(isa, y, at, sum);
            }
        }
    }
}

/// Adds all rows of `x` to the sums.
struct Sum<'a> {
    x: &'a [f32],
    sums: &'a mut [f32],
}

impl Work for Sum<'_> {
    #[inline(always)]
    fn run<I: Floats>(self, isa: I) {
        for x in self.x.chunks_exact(self.sums.len()) {
            for at in places(x.len()) {
                let sum = isa.add(load(isa, self.sums, at), load(isa, x, at));
                store(isa, self.sums, at, sum);
            }
        }
    }
}
