//! Products with weights in f32, one column a step.

use super::{Steps, Whole, product};
use crate::isa::{Floats, LANES};
use crate::kept::Kept;
use crate::level::Level;
use crate::line::{Line, lines, view_mut};
use crate::matrix::{Any, Element, Matrix, with};
use crate::outputs::Outputs;
use crate::schedule;
use crate::scratch::Scratch;
use crate::sink::Sink;

/// Weights `[outputs, inputs]` in f32, packed: a line has one column of 16 outputs.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    lines: Kept<Line>,
}

impl Panels {
    pub(crate) fn new(weights: &impl Outputs) -> Self {
        let (outputs, inputs) = (weights.outputs(), weights.inputs());
        let mut lines = Kept::zeros(outputs.div_ceil(LANES) * inputs);
        schedule::chunks(&mut lines, inputs, outputs * inputs, |panel, out| {
            weights.panel(panel, &mut |rows, first| {
                with!(rows, rows => pack_panel(rows, first, out));
            });
        });
        Self { lines }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.lines)
    }

    /// One output's weights, written to `out`.
    pub(crate) fn dequantise(&self, output: usize, out: &mut [f32]) {
        let (panel, lane) = (output / LANES, output % LANES);
        let lines = &self.lines[panel * out.len()..][..out.len()];
        for (number, line) in out.iter_mut().zip(lines) {
            *number = line.f32s()[lane];
        }
    }

    /// One output's weights as bytes.
    pub(crate) fn write(&self, output: usize, out: &mut [u8]) {
        let (panel, lane) = (output / LANES, output % LANES);
        let numbers = out.as_chunks_mut::<4>().0;
        let lines = &self.lines[panel * numbers.len()..][..numbers.len()];
        for (bytes, line) in numbers.iter_mut().zip(lines) {
            *bytes = line.f32s()[lane].to_le_bytes();
        }
    }

    /// `x · weightsᵀ`
    pub(crate) fn multiply(&self, level: Level, x: Any, sink: &Sink) {
        let product = |rows: &[f32]| {
            let columns = x.columns();
            let lines = &self.lines;
            on(level, rows, columns, lines, sink);
        };
        if let Any::F32(x) = x
            && x.has_rows()
        {
            return product(x.values());
        }
        let count = x.rows() * x.columns();
        Scratch::with(|scratch| {
            let [memory, ..] = scratch.lines([lines::<f32>(count), 0, 0]);
            let numbers = view_mut::<f32>(memory, count);
            schedule::chunks(numbers, x.columns(), count, |row, out| {
                with!(x, x => x.copy(row, 0, out));
            });
            product(numbers);
        });
    }
}

/// Packs 16 outputs of `weights` `[outputs, inputs]` from `first` on, into lines of zeros.
fn pack_panel<E: Element>(weights: Matrix<E>, first: usize, out: &mut [Line]) {
    let count = (weights.rows() - first).min(LANES);
    if !weights.has_rows() {
        let columns = weights.transposed();
        for (column, line) in out.iter_mut().enumerate() {
            let numbers = &columns.row(column)[first..][..count];
            for (place, number) in line.f32s_mut().iter_mut().zip(numbers) {
                *place = number.to_f32();
            }
        }
        return;
    }
    // A few lines at a time, which stay in the first-level cache while all outputs are filled in.
    for (chunk, lines) in out.chunks_mut(64).enumerate() {
        for lane in 0..count {
            let row = &weights.row(first + lane)[64 * chunk..];
            for (line, number) in lines.iter_mut().zip(row) {
                line.f32s_mut()[lane] = number.to_f32();
            }
        }
    }
}

/// The product with the instructions of the level. What is past AVX-512 gains f32 nothing.
fn on(level: Level, rows: &[f32], columns: usize, panels: &[Line], sink: &Sink) {
    let weights = Whole(panels);
    #[cfg(target_arch = "x86_64")]
    {
        use crate::isa::{avx2::Avx2, avx512::Avx512};
        if level >= Level::Avx512
            && let Some(isa) = Avx512::new()
        {
            return product(Single(isa), rows, columns, &weights, sink);
        }
        if level >= Level::Avx2
            && let Some(isa) = Avx2::new()
        {
            return product(Single(isa), rows, columns, &weights, sink);
        }
    }
    debug_assert!(level.is_available());
    product(
        Single(crate::isa::portable::Portable),
        rows,
        columns,
        &weights,
        sink,
    );
}

/// One column a step.
#[derive(Clone, Copy)]
struct Single<I>(I);

impl<I: Floats> Steps for Single<I> {
    type Isa = I;
    type Part = f32;
    type Weights = I::F32;
    const COLUMNS: usize = 1;
    const TILE: (usize, usize) = I::TILE;

    #[inline(always)]
    fn isa(self) -> I {
        self.0
    }
    #[inline(always)]
    fn weights(self, line: &Line) -> I::F32 {
        self.0.load(line.f32s())
    }
    #[inline(always)]
    fn add(self, sum: I::F32, weights: I::F32, number: f32) -> I::F32 {
        self.0.fma(weights, self.0.splat(number), sum)
    }
}
