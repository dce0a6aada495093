//! Products with weights in bf16.

use half::bf16;

use crate::activation::{RoundRows, bf16_bits};
use crate::isa::{Kernel, LANES, Pairs};
use crate::kept::Kept;
use crate::level::Level;
use crate::line::{Line, lines, view_mut};
use crate::matrix::{Any, Element, Matrix, with};
use crate::outputs::Outputs;
use crate::schedule::{self, Grid};
use crate::scratch::Scratch;
use crate::sink::Sink;

/// Pairs of columns after which a product of many rows turns to the next rows: four panels of so many lie in
/// the second-level cache, and are read from there for all rows.
const CHUNK: usize = 1024;
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

/// Weights `[outputs, inputs]`, packed.
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
        struct Whole<'a>(&'a [Line]);
        impl Weights for Whole<'_> {
            fn with(
                &self,
                panels: std::ops::Range<usize>,
                steps: usize,
                f: &mut dyn FnMut(&[Line]),
            ) {
                f(&self.0[panels.start * steps..panels.end * steps]);
            }
        }
        multiply(level, x, &Whole(&self.lines), sink);
    }
}

/// Where a product gets its panels from.
pub(crate) trait Weights: Sync {
    /// Hands out the lines of these panels, of `steps` each.
    fn with(&self, panels: std::ops::Range<usize>, steps: usize, f: &mut dyn FnMut(&[Line]));
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
    let (steps, panels) = (steps(inputs), sink.panels());
    Scratch::with(|scratch| {
        let [memory, ..] = scratch.lines([lines::<I::Pair>(rows * steps), 0, 0]);
        let pairs = view_mut::<I::Pair>(memory, rows * steps);
        schedule::chunks(pairs, ROUNDED * steps, rows * inputs, |chunk, out| {
            let first = chunk * ROUNDED;
            with!(x, x => isa.enter(RoundRows { x, first, out }));
        });
        let pairs = &*pairs;
        Grid::new(rows, panels, inputs).each(|rows, panels| {
            weights.with(panels.clone(), steps, &mut |lines| {
                Strip {
                    isa,
                    pairs,
                    steps,
                    lines,
                    first: panels.start,
                    panels: panels.len(),
                    sink,
                }
                .run(rows.clone());
            });
        });
    });
}

/// Some neighbouring panels, for some rows.
struct Strip<'a, I: Pairs> {
    isa: I,
    /// All rows of activations, `steps` each.
    pairs: &'a [I::Pair],
    steps: usize,
    /// The panels, `steps` each.
    lines: &'a [Line],
    /// The place of the first panel in `sink`.
    first: usize,
    panels: usize,
    sink: &'a Sink<'a>,
}

impl<I: Pairs> Strip<'_, I> {
    fn run(&self, rows: std::ops::Range<usize>) {
        let most = I::TILE.0;
        let chunk = if rows.len() <= most {
            self.steps
        } else {
            CHUNK
        };
        let mut from = 0;
        loop {
            let to = (from + chunk).min(self.steps);
            schedule::tiles(rows.clone(), most, |row, count| match count {
                1 => self.rows::<1>(row, from, to),
                2 => self.rows::<2>(row, from, to),
                3 => self.rows::<3>(row, from, to),
                4 => self.rows::<4>(row, from, to),
                5 => self.rows::<5>(row, from, to),
                _ => self.rows::<6>(row, from, to),
            });
            from = to;
            if from == self.steps {
                break;
            }
        }
    }

    fn rows<const R: usize>(&self, row: usize, from: usize, to: usize) {
        let registers = I::TILE.0 * I::TILE.1;
        let mut panel = 0;
        while 4 * R <= registers && panel + 4 <= self.panels {
            self.tile::<R, 4>(row, panel, from, to);
            panel += 4;
        }
        while 2 * R <= registers && panel + 2 <= self.panels {
            self.tile::<R, 2>(row, panel, from, to);
            panel += 2;
        }
        while panel < self.panels {
            self.tile::<R, 1>(row, panel, from, to);
            panel += 1;
        }
    }

    fn tile<const R: usize, const P: usize>(
        &self,
        row: usize,
        panel: usize,
        from: usize,
        to: usize,
    ) {
        let mut rows: [&[I::Pair]; R] = [&[]; R];
        for (number, pairs) in rows.iter_mut().enumerate() {
            *pairs = &self.pairs[(row + number) * self.steps..][from..to];
        }
        let mut panels: [&[Line]; P] = [&[]; P];
        for (number, lines) in panels.iter_mut().enumerate() {
            *lines = &self.lines[(panel + number) * self.steps..][from..to];
        }
        self.isa.enter(Tile {
            rows,
            panels,
            steps: to - from,
            resumed: from > 0,
            complete: to == self.steps,
            row,
            panel: self.first + panel,
            sink: self.sink,
        });
    }
}

/// `R` rows times `P` panels, whose sums stay in registers.
struct Tile<'a, T, const R: usize, const P: usize> {
    /// `steps` each, as are `panels`.
    rows: [&'a [T]; R],
    panels: [&'a [Line]; P],
    steps: usize,
    /// Whether the sink holds sums to go on with.
    resumed: bool,
    /// Whether nothing follows.
    complete: bool,
    row: usize,
    panel: usize,
    sink: &'a Sink<'a>,
}

impl<I: Pairs, const R: usize, const P: usize> Kernel<I> for Tile<'_, I::Pair, R, P> {
    #[inline(always)]
    fn run(self, isa: I) {
        assert!(self.rows.iter().all(|row| row.len() == self.steps));
        assert!(self.panels.iter().all(|lines| lines.len() == self.steps));
        let mut sums = [[isa.splat(0.0); P]; R];
        if self.resumed {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (panel, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: a `Grid` gives each panel of each row to one task.
                    *sum = isa.load(&unsafe { self.sink.read(self.row + row, self.panel + panel) });
                }
            }
        }
        for step in 0..self.steps {
            // SAFETY: all slices have `steps` elements, by the checks above.
            let mut weights = [isa.weights(unsafe { self.panels[0].get_unchecked(step) }); P];
            for (weights, lines) in weights.iter_mut().zip(&self.panels) {
                // SAFETY: as above.
                *weights = isa.weights(unsafe { lines.get_unchecked(step) });
            }
            for (sums, row) in sums.iter_mut().zip(&self.rows) {
                // SAFETY: as above.
                let pair = unsafe { *row.get_unchecked(step) };
                for (sum, weights) in sums.iter_mut().zip(&weights) {
                    *sum = isa.pairs(*sum, *weights, pair);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (panel, sum) in sums.iter().enumerate() {
                let (row, panel, values) = (self.row + row, self.panel + panel, isa.store(*sum));
                // SAFETY: as above.
                unsafe {
                    if self.complete {
                        self.sink.finish(row, panel, values);
                    } else {
                        self.sink.write(row, panel, &values);
                    }
                }
            }
        }
    }
}
