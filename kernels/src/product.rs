//! Products of two matrices of activations.

use std::ops::Range;

use crate::float::{self, Weights, pack_panel};
use crate::isa::LANES;
use crate::level::Level;
use crate::line::Line;
use crate::matrix::{Any, Element, Matrix, with};
use crate::scratch::Scratch;
use crate::sink::Sink;

/// `c = a · b`, with `a` `[m, k]` and `b` `[k, n]` rounded to bf16 and sums in f32; `c` is `[m, n]`, row after
/// row, whatever it held before.
///
/// Either may be [`Matrix::transposed`] at no cost, so for a layer `y = x · wᵀ` the gradients are
/// `dx = dy · w` and `dw = dyᵀ · x`. Both are packed on the way, `a` whole and `b` in strips of 64 columns, in
/// memory that the threads keep.
///
/// # Panics
/// If the sizes do not fit each other.
pub fn product<A: Element, B: Element>(a: Matrix<A>, b: Matrix<B>, c: &mut [f32]) {
    product_at(Level::best(), a, b, c);
}

/// The same with the instructions of a given level.
///
/// # Panics
/// As [`product`], and if the processor does not have the level.
pub fn product_at<A: Element, B: Element>(level: Level, a: Matrix<A>, b: Matrix<B>, c: &mut [f32]) {
    product_any(level, a.any(), b.transposed().any(), c);
}

/// `c = a · bᵀ`
fn product_any(level: Level, a: Any, b: Any, c: &mut [f32]) {
    level.check();
    assert_eq!(
        a.columns(),
        b.columns(),
        "columns of the first matrix and rows of the second"
    );
    let sink = Sink::new(c, a.rows(), b.rows());
    if a.rows() > 0 && b.rows() > 0 {
        float::multiply(level, a, &Strips(b), &sink);
    }
}

/// Packs strips when they are wanted.
struct Strips<'a>(Any<'a>);

impl Weights for Strips<'_> {
    fn with(&self, panels: Range<usize>, steps: usize, f: &mut dyn FnMut(&[Line])) {
        Scratch::with(|scratch| {
            let [lines, ..] = scratch.lines([panels.len() * steps, 0, 0]);
            if steps > 0 {
                for (panel, lines) in panels.zip(lines.chunks_exact_mut(steps)) {
                    with!(self.0, matrix => pack_panel(matrix, panel * LANES, lines));
                }
            }
            f(lines);
        });
    }
}
