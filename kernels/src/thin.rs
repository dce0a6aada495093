//! Products of few rows in f32.

use std::ops::Range;

use crate::isa::{Floats, LANES, Work, work};
use crate::level::Level;
use crate::line::{lines, view_mut};
use crate::matrix::Matrix;
use crate::schedule;
use crate::scratch::Scratch;
use crate::sink::{Addends, Sink};
use crate::vectors::{load, places};

/// Rows that are multiplied at once. More are taken in turns, and read the weights as many times.
const ROWS: usize = 8;
/// Panels of a strip of columns: of each row of weights one page is read in one go.
const STRIP: usize = 64;

/// `y = x · w`, in f32: `x` `[rows, inputs]`, `w` `[inputs, outputs]`, `y` `[rows, outputs]`, and what is added to it.
/// Made for up to 8 rows, whose time is that of reading `w` once; it may be [`Matrix::transposed`].
///
/// A result depends on its row and its column of `w` alone, not on the number of rows or threads. Runs in rayon's
/// current pool if that is worth it.
///
/// # Panics
/// If `x` is no whole number of rows as wide as `w` is high, or `y` has another number of them, or as
/// [`Packed::product`](crate::Packed::product) because of what is added.
pub fn thin_product(x: &[f32], w: Matrix<f32>, addends: Addends, y: &mut [f32]) {
    thin_product_at(Level::best(), x, w, addends, y);
}

/// The same with the instructions of a given level.
///
/// # Panics
/// As [`thin_product`], and if the processor does not have the level.
pub fn thin_product_at(level: Level, x: &[f32], w: Matrix<f32>, addends: Addends, y: &mut [f32]) {
    level.check();
    let (inputs, outputs) = (w.rows(), w.columns());
    if outputs == 0 && y.is_empty() {
        return;
    }
    let rows = y.len().checked_div(outputs).unwrap_or(0);
    assert_eq!(
        (Some(y.len()), Some(x.len())),
        (rows.checked_mul(outputs), rows.checked_mul(inputs)),
        "rows of {inputs} inputs and of {outputs} outputs"
    );
    let sink = Sink::new(y, rows, outputs).with(addends);
    let mut row = 0;
    while row < rows {
        let count = (rows - row).min(ROWS);
        let part = Part {
            level,
            x: &x[row * inputs..][..count * inputs],
            w,
            sink: &sink,
            row,
        };
        match count {
            1 => part.rows::<1>(),
            2 => part.rows::<2>(),
            3 => part.rows::<3>(),
            4 => part.rows::<4>(),
            5 => part.rows::<5>(),
            6 => part.rows::<6>(),
            7 => part.rows::<7>(),
            _ => part.rows::<8>(),
        }
        row += count;
    }
}

/// Some rows of a product.
#[derive(Clone, Copy)]
struct Part<'a> {
    level: Level,
    x: &'a [f32],
    w: Matrix<'a, f32>,
    sink: &'a Sink<'a>,
    row: usize,
}

impl Part<'_> {
    fn rows<const R: usize>(self) {
        let panels = self.sink.panels();
        let cost = self.x.len() * self.w.columns();
        // A strip for each thread at the least.
        let strip = if self.w.has_rows() {
            panels
                .div_ceil(2 * rayon::current_num_threads())
                .clamp(8, STRIP)
        } else {
            1
        };
        schedule::each(panels.div_ceil(strip), cost, |task| {
            let panels = task * strip..((task + 1) * strip).min(panels);
            if self.w.has_rows() {
                Scratch::with(|scratch| {
                    let count = R * panels.len() * LANES;
                    let [memory, ..] = scratch.lines([lines::<f32>(count), 0, 0]);
                    let sums = view_mut::<f32>(memory, count).as_chunks_mut().0;
                    work(
                        self.level,
                        Columns::<R> {
                            part: self,
                            panels,
                            sums,
                        },
                    );
                });
            } else {
                work(
                    self.level,
                    Dots::<R> {
                        part: self,
                        panel: panels.start,
                    },
                );
            }
        });
    }

    /// Row `row` of this part.
    #[inline(always)]
    fn x(&self, row: usize) -> &[f32] {
        let inputs = self.w.rows();
        &self.x[row * inputs..][..inputs]
    }
}

/// Weights that lie row after row: each row times its input is added to the sums of a strip of outputs.
struct Columns<'a, const R: usize> {
    part: Part<'a>,
    panels: Range<usize>,
    /// `[panel, row]`
    sums: &'a mut [[f32; LANES]],
}

impl<const R: usize> Work for Columns<'_, R> {
    #[inline(always)]
    fn run<I: Floats>(mut self, isa: I) {
        self.sums.fill([0.0; LANES]);
        let inputs = self.part.w.rows();
        let whole = inputs - inputs % 4;
        for input in (0..whole).step_by(4) {
            self.add::<I, 4>(isa, input);
        }
        for input in whole..inputs {
            self.add::<I, 1>(isa, input);
        }
        for (panel, sums) in self.panels.zip(self.sums.chunks_exact(R)) {
            for (row, sums) in sums.iter().enumerate() {
                // SAFETY: each panel is in one task.
                unsafe {
                    let sums = isa.load(sums);
                    self.part.sink.finish(isa, self.part.row + row, panel, sums);
                };
            }
        }
    }
}

impl<const R: usize> Columns<'_, R> {
    /// Adds the terms of `K` inputs.
    #[inline(always)]
    fn add<I: Floats, const K: usize>(&mut self, isa: I, input: usize) {
        let columns = self.panels.start * LANES;
        let mut weights: [&[f32]; K] = [&[]; K];
        let mut factors = [[isa.splat(0.0); K]; R];
        for at in 0..K {
            weights[at] = &self.part.w.row(input + at)[columns..];
            for (row, factors) in factors.iter_mut().enumerate() {
                factors[at] = isa.splat(self.part.x(row)[input + at]);
            }
        }
        for (panel, sums) in self.sums.chunks_exact_mut(R).enumerate() {
            let mut terms = [isa.splat(0.0); K];
            for (term, weights) in terms.iter_mut().zip(&weights) {
                *term = load(isa, weights, panel * LANES);
            }
            for (sums, factors) in sums.iter_mut().zip(&factors) {
                let mut sum = isa.load(sums);
                for (term, factor) in terms.iter().zip(factors) {
                    sum = isa.fma(*term, *factor, sum);
                }
                *sums = isa.store(sum);
            }
        }
    }
}

/// Weights that lie column after column: each output is the product of two rows.
struct Dots<'a, const R: usize> {
    part: Part<'a>,
    panel: usize,
}

/// Outputs that are worked on together.
const OUTPUTS: usize = 2;

impl<const R: usize> Work for Dots<'_, R> {
    #[inline(always)]
    fn run<I: Floats>(self, isa: I) {
        let weights = self.part.w.transposed();
        let first = self.panel * LANES;
        let count = (weights.rows() - first).min(LANES);
        let mut results = [[0.0; LANES]; R];
        for lane in (0..count).step_by(OUTPUTS) {
            let outputs = [lane, (lane + 1).min(count - 1)];
            let rows = outputs.map(|lane| weights.row(first + lane));
            let mut sums = [[isa.splat(0.0); OUTPUTS]; R];
            for at in places(weights.columns()) {
                let mut terms = [isa.splat(0.0); OUTPUTS];
                for (term, row) in terms.iter_mut().zip(&rows) {
                    *term = load(isa, row, at);
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = load(isa, self.part.x(row), at);
                    for (sum, term) in sums.iter_mut().zip(&terms) {
                        *sum = isa.fma(*term, x, *sum);
                    }
                }
            }
            for (results, sums) in results.iter_mut().zip(&sums) {
                for (lane, sum) in outputs.into_iter().zip(sums) {
                    results[lane] = isa.sum(*sum);
                }
            }
        }
        for (row, results) in results.into_iter().enumerate() {
            // SAFETY: each panel is in one task.
            unsafe {
                self.part
                    .sink
                    .finish(isa, self.part.row + row, self.panel, isa.load(&results));
            };
        }
    }
}
