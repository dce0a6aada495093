//! Products with quantised weights.
//!
//! Each block of 32 columns gives an exact integer, which is scaled and added in f32, block after block:
//!
//! ```text
//! sum += (Σ code · byte − bias · Σ byte) · (scale of weights · scale of activations)
//! ```
//!
//! with each operation rounded by itself, at every level.

use std::ops::Range;

use crate::activation::QuantiseRow;
use crate::format::{BLOCK, Blocks, Place};
use crate::isa::portable::Portable;
use crate::isa::{Kernel, LANES, Quads};
use crate::kept::Kept;
use crate::level::Level;
use crate::line::{Line, Plain, lines, view_mut};
use crate::matrix::{Any, with};
use crate::schedule::{self, Grid};
use crate::scratch::Scratch;
use crate::sink::Sink;

/// Blocks after which a product of many rows turns to the next rows: four panels of so many lie in the
/// second-level cache.
const CHUNK: usize = 64;
/// Our blocks in the largest of GGUF's.
const MOST: usize = 8;
/// Quads of a block.
const QUADS: usize = BLOCK / 4;

/// Weights `[outputs, inputs]`, packed: the blocks of 16 outputs one after the other, then those of the
/// next 16.
#[derive(Debug, Clone)]
pub(crate) struct Quantised<F> {
    lines: Kept<Line>,
    scales: F,
}

/// A block of one output, to be packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) output: usize,
    /// Its place in the panel.
    pub(crate) lane: usize,
    /// Its place in the row.
    pub(crate) index: usize,
}

impl<F: Blocks> Quantised<F> {
    /// `store` writes a block of an output into its lane of the lines, and into what a panel's block says of its
    /// scales; `scales` collects that.
    pub(crate) fn new<S: Plain>(
        outputs: usize,
        inputs: usize,
        store: impl Fn(Block, &mut [Line], &mut S) + Send + Sync,
        scales: impl FnOnce(Kept<S>) -> F,
    ) -> Self {
        let panel = |panel: usize, lines: &mut [Line], steps: &mut [S]| {
            let first = panel * LANES;
            for (index, (lines, step)) in lines.chunks_exact_mut(F::LINES).zip(steps).enumerate() {
                for lane in 0..LANES.min(outputs - first) {
                    let place = Block {
                        output: first + lane,
                        lane,
                        index,
                    };
                    store(place, lines, step);
                }
            }
        };
        Self::by_panels(outputs, inputs, panel, scales)
    }

    /// The same, a panel at a time: `panel` writes all its lines, which are zeros, and what its blocks say of their
    /// scales.
    pub(crate) fn by_panels<S: Plain>(
        outputs: usize,
        inputs: usize,
        panel: impl Fn(usize, &mut [Line], &mut [S]) + Send + Sync,
        scales: impl FnOnce(Kept<S>) -> F,
    ) -> Self {
        let (panels, blocks) = (outputs.div_ceil(LANES), inputs.div_ceil(BLOCK));
        let mut lines = Kept::zeros(panels * blocks * F::LINES);
        let mut steps = Kept::zeros(panels * blocks);
        schedule::rows(
            (&mut lines, &mut steps, &mut [(); 0]),
            (blocks * F::LINES, blocks, 0),
            outputs * inputs,
            |at, (lines, steps, _)| panel(at, lines, steps),
        );
        let scales = scales(steps);
        assert!(scales.covers(panels * blocks));
        Self { lines, scales }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.lines) + self.scales.bytes()
    }

    /// An output's codes of a block.
    fn codes(&self, place: Place, lane: usize) -> [u8; BLOCK] {
        let lines = &self.lines[place.index() * F::LINES..][..F::LINES];
        let mut out = [0; BLOCK];
        for (quad, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            // SAFETY: `lines` are `LINES`, and there are eight quads.
            let codes = unsafe { F::codes(Portable, lines, quad) };
            out.copy_from_slice(&codes[4 * lane..][..4]);
        }
        out
    }

    /// One output's blocks as GGUF has them, which are groups of `group` of ours and of `size` bytes.
    pub(crate) fn write(&self, output: usize, group: usize, size: usize, out: &mut [u8]) {
        let (panel, lane) = (output / LANES, output % LANES);
        let blocks = out.len() / size * group;
        let mut codes = [[0; BLOCK]; MOST];
        for (number, out) in out.chunks_exact_mut(size).enumerate() {
            let first = number * group;
            let place = |block| Place {
                panel,
                block,
                blocks,
            };
            for (at, codes) in codes[..group].iter_mut().enumerate() {
                *codes = self.codes(place(first + at), lane);
            }
            self.scales.write(place(first), lane, &codes[..group], out);
        }
    }

    /// One output's weights as f32, written to `out`.
    pub(crate) fn dequantise(&self, output: usize, out: &mut [f32]) {
        let isa = Portable;
        let (panel, lane) = (output / LANES, output % LANES);
        let blocks = out.len().div_ceil(BLOCK);
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let place = Place {
                panel,
                block,
                blocks,
            };
            let codes = self.codes(place, lane);
            // SAFETY: `new` made scales for all blocks.
            let minimum = unsafe { self.scales.minimum(isa, place) }[lane];
            let parts = BLOCK / F::SUMS;
            for (part, out) in out.chunks_mut(parts).enumerate() {
                // SAFETY: as above; there are at most `SUMS` parts.
                let scale = unsafe { self.scales.scale(isa, place, part) }[lane];
                for (out, code) in out.iter_mut().zip(&codes[part * parts..]) {
                    let product = scale * (i32::from(*code) - F::BIAS) as f32;
                    *out = if F::MINIMA {
                        product - minimum
                    } else {
                        product
                    };
                }
            }
        }
    }

    /// `x · weightsᵀ`, with `x` `[rows, inputs]`, which has rows.
    pub(crate) fn multiply(&self, level: Level, x: Any, sink: &Sink) {
        #[cfg(target_arch = "x86_64")]
        {
            use crate::isa::avx2::Avx2;
            use crate::isa::avx512::{Avx512, Vnni};
            if level >= Level::Avx512Vnni
                && let Some(isa) = Vnni::new()
            {
                return self.on(isa, x, sink);
            }
            if level >= Level::Avx512
                && let Some(isa) = Avx512::new()
            {
                return self.on(isa, x, sink);
            }
            if level >= Level::Avx2
                && let Some(isa) = Avx2::new()
            {
                return self.on(isa, x, sink);
            }
        }
        debug_assert!(level.is_available());
        self.on(Portable, x, sink);
    }

    fn on<I: Quads>(&self, isa: I, x: Any, sink: &Sink) {
        let (rows, inputs) = (x.rows(), x.columns());
        let blocks = inputs.div_ceil(BLOCK);
        let count = rows * blocks;
        Scratch::with(|scratch| {
            let [quads, scales, sums] = scratch.lines([
                lines::<I::Quad>(count * QUADS),
                lines::<f32>(count),
                lines::<i32>(count * F::SUMS),
            ]);
            let quads = view_mut::<I::Quad>(quads, count * QUADS);
            let scales = view_mut::<f32>(scales, count);
            let sums = view_mut::<i32>(sums, count * F::SUMS);
            schedule::rows(
                (quads, scales, sums),
                (blocks * QUADS, blocks, blocks * F::SUMS),
                rows * inputs,
                |row, (quads, scales, sums)| {
                    with!(x, x => isa.enter(QuantiseRow {
                        x: x.row(row),
                        quads,
                        scales,
                        sums,
                        factor: if F::MINIMA { 1 } else { -F::BIAS },
                    }));
                },
            );
            let activations = Activations {
                quads: &*quads,
                scales: &*scales,
                sums: &*sums,
            };
            Grid::new(rows, sink.panels(), inputs).each(|rows, panels| {
                Strip {
                    isa,
                    activations,
                    blocks,
                    weights: self,
                    sink,
                }
                .run(rows, panels);
            });
        });
    }
}

/// All rows of activations.
#[derive(Debug, Clone, Copy)]
struct Activations<'a, T> {
    /// `[row, block, quad]`
    quads: &'a [T],
    /// `[row, block]`
    scales: &'a [f32],
    /// `[row, block, part]`
    sums: &'a [i32],
}

/// Some neighbouring panels, for some rows.
struct Strip<'a, I: Quads, F> {
    isa: I,
    activations: Activations<'a, I::Quad>,
    blocks: usize,
    weights: &'a Quantised<F>,
    sink: &'a Sink<'a>,
}

impl<I: Quads, F: Blocks> Strip<'_, I, F> {
    fn run(&self, rows: Range<usize>, panels: Range<usize>) {
        let most = I::TILE.0;
        let chunk = if rows.len() <= most {
            self.blocks
        } else {
            CHUNK
        };
        let mut from = 0;
        loop {
            let blocks = from..(from + chunk).min(self.blocks);
            from = blocks.end;
            schedule::tiles(rows.clone(), most, |row, count| {
                let (panels, blocks) = (panels.clone(), blocks.clone());
                match count {
                    1 => self.rows::<1>(row, panels, blocks),
                    2 => self.rows::<2>(row, panels, blocks),
                    3 => self.rows::<3>(row, panels, blocks),
                    4 => self.rows::<4>(row, panels, blocks),
                    5 => self.rows::<5>(row, panels, blocks),
                    _ => self.rows::<6>(row, panels, blocks),
                }
            });
            if from == self.blocks {
                break;
            }
        }
    }

    fn rows<const R: usize>(&self, row: usize, mut panels: Range<usize>, blocks: Range<usize>) {
        let registers = I::TILE.0 * I::TILE.1;
        while 4 * R <= registers && panels.len() >= 4 {
            self.tile::<R, 4>(row, panels.start, blocks.clone());
            panels.start += 4;
        }
        while 2 * R <= registers && panels.len() >= 2 {
            self.tile::<R, 2>(row, panels.start, blocks.clone());
            panels.start += 2;
        }
        while !panels.is_empty() {
            self.tile::<R, 1>(row, panels.start, blocks.clone());
            panels.start += 1;
        }
    }

    fn tile<const R: usize, const P: usize>(&self, row: usize, panel: usize, blocks: Range<usize>) {
        let mut rows = [Activations {
            quads: &[][..],
            scales: &[],
            sums: &[],
        }; R];
        for (number, part) in rows.iter_mut().enumerate() {
            let first = (row + number) * self.blocks + blocks.start;
            *part = Activations {
                quads: &self.activations.quads[first * QUADS..][..blocks.len() * QUADS],
                scales: &self.activations.scales[first..][..blocks.len()],
                sums: &self.activations.sums[first * F::SUMS..][..blocks.len() * F::SUMS],
            };
        }
        let mut panels: [&[Line]; P] = [&[]; P];
        for (number, lines) in panels.iter_mut().enumerate() {
            let first = (panel + number) * self.blocks + blocks.start;
            *lines = &self.weights.lines[first * F::LINES..][..blocks.len() * F::LINES];
        }
        self.isa.enter(Tile {
            rows,
            panels,
            scales: &self.weights.scales,
            blocks,
            all: self.blocks,
            row,
            panel,
            sink: self.sink,
        });
    }
}

/// `R` rows times `P` panels, whose sums stay in registers.
struct Tile<'a, T, F, const R: usize, const P: usize> {
    /// Of these blocks alone, as are `panels`.
    rows: [Activations<'a, T>; R],
    panels: [&'a [Line]; P],
    scales: &'a F,
    blocks: Range<usize>,
    /// Blocks of a panel.
    all: usize,
    row: usize,
    panel: usize,
    sink: &'a Sink<'a>,
}

impl<I: Quads, F: Blocks, const R: usize, const P: usize> Kernel<I> for Tile<'_, I::Quad, F, R, P> {
    #[inline(always)]
    fn run(self, isa: I) {
        let count = self.blocks.len();
        for row in &self.rows {
            assert!(row.quads.len() == count * QUADS);
            assert!(row.scales.len() == count && row.sums.len() == count * F::SUMS);
        }
        assert!(
            self.panels
                .iter()
                .all(|lines| lines.len() == count * F::LINES)
        );

        assert!(self.blocks.end <= self.all);
        assert!(self.scales.covers((self.panel + P) * self.all));

        let mut sums = [[isa.splat(0.0); P]; R];
        if self.blocks.start > 0 {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (panel, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: a `Grid` gives each panel of each row to one task.
                    *sum = isa.load(&unsafe { self.sink.read(self.row + row, self.panel + panel) });
                }
            }
        }
        for block in 0..count {
            for part in 0..F::SUMS {
                let mut exact = [[isa.splat_i32(0); P]; R];
                if !F::MINIMA {
                    for (exact, row) in exact.iter_mut().zip(&self.rows) {
                        // SAFETY: there are `count · SUMS` sums, by the checks above.
                        let sum = unsafe { *row.sums.get_unchecked(block * F::SUMS + part) };
                        *exact = [isa.splat_i32(sum); P];
                    }
                }
                for quad in part * QUADS / F::SUMS..(part + 1) * QUADS / F::SUMS {
                    for (panel, lines) in self.panels.iter().enumerate() {
                        // SAFETY: there are `count · LINES` lines, by the checks above, and `quad` is below
                        // `QUADS`.
                        let codes = isa.codes(unsafe {
                            let lines =
                                lines.get_unchecked(block * F::LINES..(block + 1) * F::LINES);
                            F::codes(isa, lines, quad)
                        });
                        for (exact, row) in exact.iter_mut().zip(&self.rows) {
                            // SAFETY: there are `count · QUADS` quads, by the checks above.
                            let value = unsafe { *row.quads.get_unchecked(block * QUADS + quad) };
                            exact[panel] = isa.quads(exact[panel], codes, value);
                        }
                    }
                }
                for panel in 0..P {
                    let place = Place {
                        panel: self.panel + panel,
                        block: self.blocks.start + block,
                        blocks: self.all,
                    };
                    // SAFETY: there are scales up to this block of the last panel, by the checks above.
                    let weights = unsafe { self.scales.scale(isa, place, part) };
                    for ((sums, exact), row) in sums.iter_mut().zip(&exact).zip(&self.rows) {
                        // SAFETY: there are `count` scales, by the checks above.
                        let scale = isa.splat(unsafe { *row.scales.get_unchecked(block) });
                        let exact = isa.to_f32(exact[panel]);
                        let term = isa.mul(exact, isa.mul(weights, scale));
                        sums[panel] = isa.add(sums[panel], term);
                    }
                    if F::MINIMA {
                        // SAFETY: as above.
                        let minimum = unsafe { self.scales.minimum(isa, place) };
                        for (sums, row) in sums.iter_mut().zip(&self.rows) {
                            // SAFETY: as above; `SUMS` is 1.
                            let (scale, sum) = unsafe {
                                (
                                    *row.scales.get_unchecked(block),
                                    *row.sums.get_unchecked(block),
                                )
                            };
                            let sum = isa.splat(scale * sum as f32);
                            sums[panel] = isa.sub(sums[panel], isa.mul(minimum, sum));
                        }
                    }
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (panel, sum) in sums.iter().enumerate() {
                let (row, panel) = (self.row + row, self.panel + panel);
                // SAFETY: as above.
                unsafe {
                    if self.blocks.end == self.all {
                        self.sink.finish(isa, row, panel, *sum);
                    } else {
                        self.sink.write(row, panel, &isa.store(*sum));
                    }
                }
            }
        }
    }
}
