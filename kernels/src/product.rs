//! Products of two matrices of activations.

use std::ops::Range;

use crate::float::Weights;
use crate::float::double::{self, pack_panel};
use crate::isa::LANES;
use crate::level::Level;
use crate::line::Line;
use crate::matrix::{Any, Element, Matrix, with};
use crate::scratch::Scratch;
use crate::sink::{Addends, Sink};

/// `a · b`, row after row, with `a` `[m, k]` and `b` `[k, n]` rounded to bf16 and sums in f32.
///
/// Either may be [`Matrix::transposed`] at no cost, so for a layer `y = x · wᵀ` the gradients are
/// `dx = dy · w` and `dw = dyᵀ · x`. Both are packed on the way, `a` whole and `b` in strips of 64 columns, in
/// memory that the threads keep.
///
/// # Panics
/// If the sizes do not fit each other.
pub fn product<A: Element, B: Element>(a: Matrix<A>, b: Matrix<B>) -> Vec<f32> {
    product_at(Level::best(), a, b)
}

/// The same with the instructions of a given level.
///
/// # Panics
/// As [`product`], and if the processor does not have the level.
pub fn product_at<A: Element, B: Element>(level: Level, a: Matrix<A>, b: Matrix<B>) -> Vec<f32> {
    product_any(level, a.any(), b.transposed().any())
}

/// `a · bᵀ`
fn product_any(level: Level, a: Any, b: Any) -> Vec<f32> {
    level.check();
    check_inner(a.columns(), b.columns());
    let write = |sink: &Sink| {
        if a.rows() > 0 && b.rows() > 0 {
            double::multiply(level, a, &Strips(b), sink);
        }
    };
    // SAFETY: a product writes each panel of each row.
    unsafe { Sink::filled(a.rows(), b.rows(), Addends::default(), write) }
}

/// Multiply-adds from which on threads gain: those of 192³.
const THREADS: usize = 192 * 192 * 192;

/// `a · b` in f32, row after row, with `a` `[m, k]` and `b` `[k, n]`: by the `gemm` crate, as Burn's own, without filling
/// the result with zeros beforehand. Runs in rayon's current pool if that is worth it.
///
/// # Panics
/// If the sizes do not fit each other.
pub fn product_f32(a: Matrix<f32>, b: Matrix<f32>) -> Vec<f32> {
    check_inner(a.columns(), b.rows());
    let (rows, inputs, columns) = (a.rows(), a.columns(), b.columns());
    let parallelism = if rows * columns * inputs >= THREADS {
        gemm::Parallelism::Rayon(0)
    } else {
        gemm::Parallelism::None
    };
    let count = rows.checked_mul(columns).expect("a result that has a size");
    let mut out = Vec::with_capacity(count);
    let [(a_row, a_column), (b_row, b_column)] = [a, b].map(|matrix| matrix.strides());
    let width = columns.cast_signed();
    // SAFETY: the strides of a matrix reach its values alone, as there are rows times columns of them; those of the
    // result reach `count` places, all of which are written: it is not read, and a sum of nothing is 0.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inputs,
            out.as_mut_ptr(),
            1,
            width,
            false,
            a.values().as_ptr(),
            a_column,
            a_row,
            b.values().as_ptr(),
            b_column,
            b_row,
            0.0_f32,
            1.0_f32,
            false,
            false,
            false,
            parallelism,
        );
        out.set_len(count);
    }
    out
}

fn check_inner(columns: usize, rows: usize) {
    assert_eq!(
        columns, rows,
        "columns of the first matrix and rows of the second"
    );
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
