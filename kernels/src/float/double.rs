//! Products with weights in bf16, two columns a step.

use half::bf16;

use super::{Steps, Weights, Whole, product};
use crate::activation::{RoundRows, bf16_bits};
use crate::isa::{LANES, Pairs};
use crate::kept::Kept;
use crate::level::Level;
use crate::line::{Line, lines, view_mut};
use crate::matrix::{Any, Element, Matrix, with};
use crate::outputs::Outputs;
use crate::schedule;
use crate::scratch::Scratch;
use crate::sink::Sink;

/// Rows that are rounded in one go.
const ROUNDED: usize = 16;

/// Lines of a panel: each holds two columns of 16 outputs, those of an output side by side.
pub(crate) fn steps(inputs: usize) -> usize {
    inputs.div_ceil(2)
}

/// Packs 16 outputs of `weights` `[outputs, inputs]` from `first` on; what is missing is zero.
pub(crate) fn pack_panel<E: Element>(weights: Matrix<E>, first: usize, out: &mut [Line]) {
    let count = (weights.rows() - first).min(LANES);
    if count < LANES {
        out.fill(Line::ZERO);
    }
    let bits = |value: E| u32::from(bf16_bits(value.to_f32()));
    if weights.has_rows() {
        // A few lines at a time, which stay in the first-level cache while all outputs are filled in.
        for (chunk, lines) in out.chunks_mut(64).enumerate() {
            for lane in 0..count {
                let row = &weights.row(first + lane)[128 * chunk..];
                for (line, pair) in lines.iter_mut().zip(row.chunks(2)) {
                    let both = bits(pair[0]) | pair.get(1).map_or(0, |second| bits(*second)) << 16;
                    line.0[4 * lane..][..4].copy_from_slice(&both.to_le_bytes());
                }
            }
        }
        return;
    }
    let columns = weights.transposed();
    for (step, line) in out.iter_mut().enumerate() {
        let one = &columns.row(2 * step)[first..][..count];
        let two = (2 * step + 1 < columns.rows()).then(|| &columns.row(2 * step + 1)[first..]);
        for (lane, place) in line.0.as_chunks_mut::<4>().0[..count]
            .iter_mut()
            .enumerate()
        {
            let two = two.map_or(0, |two| bits(two[lane]));
            *place = (bits(one[lane]) | two << 16).to_le_bytes();
        }
    }
}

/// Weights `[outputs, inputs]` in bf16, packed.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    lines: Kept<Line>,
}

impl Panels {
    pub(crate) fn new(weights: &impl Outputs) -> Self {
        let (outputs, inputs) = (weights.outputs(), weights.inputs());
        let steps = steps(inputs);
        let mut lines = Kept::zeros(outputs.div_ceil(LANES) * steps);
        schedule::chunks(&mut lines, steps, outputs * inputs, |panel, out| {
            weights.panel(panel, &mut |rows, first| {
                with!(rows, rows => pack_panel(rows, first, out));
            });
        });
        Self { lines }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.lines)
    }

    /// One output's weights as f32, written to `out`.
    pub(crate) fn dequantise(&self, output: usize, out: &mut [f32]) {
        let (panel, lane) = (output / LANES, output % LANES);
        let steps = steps(out.len());
        let lines = &self.lines[panel * steps..][..steps];
        for (pair, line) in out.chunks_mut(2).zip(lines) {
            for (number, bits) in pair.iter_mut().zip(line.0[4 * lane..].as_chunks::<2>().0) {
                *number = bf16::from_le_bytes(*bits).to_f32();
            }
        }
    }

    /// One output's bf16 as bytes.
    pub(crate) fn write(&self, output: usize, out: &mut [u8]) {
        let (panel, lane) = (output / LANES, output % LANES);
        let steps = steps(out.len() / 2);
        let lines = &self.lines[panel * steps..][..steps];
        for (bytes, line) in out.chunks_mut(4).zip(lines) {
            bytes.copy_from_slice(&line.0[4 * lane..][..bytes.len()]);
        }
    }

    /// `x · weightsᵀ`
    pub(crate) fn multiply(&self, level: Level, x: Any, sink: &Sink) {
        multiply(level, x, &Whole(&self.lines), sink);
    }
}

/// `x · weightsᵀ` with the instructions of the level.
pub(crate) fn multiply(level: Level, x: Any, weights: &impl Weights, sink: &Sink) {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::isa::avx2::Avx2;
        use crate::isa::avx512::{Avx512, Bf16};
        if level >= Level::Avx512Bf16
            && let Some(isa) = Bf16::new()
        {
            return on(isa, x, weights, sink);
        }
        if level >= Level::Avx512
            && let Some(isa) = Avx512::new()
        {
            return on(isa, x, weights, sink);
        }
        if level >= Level::Avx2
            && let Some(isa) = Avx2::new()
        {
            return on(isa, x, weights, sink);
        }
    }
    debug_assert!(level.is_available());
    on(crate::isa::portable::Portable, x, weights, sink);
}

fn on<I: Pairs>(isa: I, x: Any, weights: &impl Weights, sink: &Sink) {
    let (rows, inputs) = (x.rows(), x.columns());
    let steps = steps(inputs);
    Scratch::with(|scratch| {
        let [memory, ..] = scratch.lines([lines::<I::Pair>(rows * steps), 0, 0]);
        let pairs = view_mut::<I::Pair>(memory, rows * steps);
        schedule::chunks(pairs, ROUNDED * steps, rows * inputs, |chunk, out| {
            let first = chunk * ROUNDED;
            with!(x, x => isa.enter(RoundRows { x, first, out }));
        });
        product(Double(isa), pairs, steps, weights, sink);
    });
}

/// Two neighbouring columns a step.
#[derive(Clone, Copy)]
struct Double<I>(I);

impl<I: Pairs> Steps for Double<I> {
    type Isa = I;
    type Part = I::Pair;
    type Weights = I::Weights;
    const COLUMNS: usize = 2;
    const TILE: (usize, usize) = I::TILE;

    #[inline(always)]
    fn isa(self) -> I {
        self.0
    }
    #[inline(always)]
    fn weights(self, line: &Line) -> I::Weights {
        self.0.weights(line)
    }
    #[inline(always)]
    fn add(self, sum: I::F32, weights: I::Weights, pair: I::Pair) -> I::F32 {
        self.0.pairs(sum, weights, pair)
    }
}
