//! Products with weights that are floats.

pub(crate) mod double;
pub(crate) mod single;

use std::ops::Range;

use crate::isa::{Kernel, Lanes};
use crate::line::{Line, Plain};
use crate::schedule::{self, Grid};
use crate::sink::Sink;

/// Lines of a panel after which a product of many rows turns to the next rows: four panels of so many lie in the
/// second-level cache, and are read from there for all rows.
const CHUNK: usize = 1024;

/// How a product goes along its columns: in steps, of each of which a panel has a line.
pub(crate) trait Steps: Copy + Send + Sync {
    type Isa: Lanes;
    /// Columns of a step.
    const COLUMNS: usize;
    /// A step of a row of activations.
    type Part: Plain;
    /// A step of 16 outputs.
    type Weights: Copy;
    /// Rows and panels that are worked on together: as many as the registers hold.
    const TILE: (usize, usize);

    fn isa(self) -> Self::Isa;
    fn weights(self, line: &Line) -> Self::Weights;
    /// `sum` and the products of the step.
    fn add(self, sum: Sums<Self>, weights: Self::Weights, part: Self::Part) -> Sums<Self>;
}

/// 16 sums.
type Sums<S> = <<S as Steps>::Isa as Lanes>::F32;

/// Where a product gets its panels from.
pub(crate) trait Weights: Sync {
    /// Hands out the lines of these panels, of `steps` each.
    fn with(&self, panels: Range<usize>, steps: usize, f: &mut dyn FnMut(&[Line]));
}

/// Panels that lie packed.
struct Whole<'a>(&'a [Line]);

impl Weights for Whole<'_> {
    fn with(&self, panels: Range<usize>, steps: usize, f: &mut dyn FnMut(&[Line])) {
        f(&self.0[panels.start * steps..panels.end * steps]);
    }
}

/// `rows · weightsᵀ`, of rows of `steps` parts each.
fn product<S: Steps>(by: S, rows: &[S::Part], steps: usize, weights: &impl Weights, sink: &Sink) {
    Grid::new(sink.rows(), sink.panels(), steps * S::COLUMNS).each(|part, panels| {
        weights.with(panels.clone(), steps, &mut |lines| {
            Strip {
                by,
                rows,
                steps,
                lines,
                first: panels.start,
                panels: panels.len(),
                sink,
            }
            .run(part.clone());
        });
    });
}

/// Some neighbouring panels, for some rows.
struct Strip<'a, S: Steps> {
    by: S,
    /// All rows of activations, `steps` each.
    rows: &'a [S::Part],
    steps: usize,
    /// The panels, `steps` each.
    lines: &'a [Line],
    /// The place of the first panel in `sink`.
    first: usize,
    panels: usize,
    sink: &'a Sink<'a>,
}

impl<S: Steps> Strip<'_, S> {
    fn run(&self, rows: Range<usize>) {
        let most = S::TILE.0;
        let chunk = if rows.len() <= most {
            self.steps
        } else {
            CHUNK
        };
        let mut from = 0;
        loop {
            let to = (from + chunk).min(self.steps);
            schedule::tiles(rows.clone(), most, |row, count| match count {
                1 => self.some::<1>(row, from, to),
                2 => self.some::<2>(row, from, to),
                3 => self.some::<3>(row, from, to),
                4 => self.some::<4>(row, from, to),
                5 => self.some::<5>(row, from, to),
                _ => self.some::<6>(row, from, to),
            });
            from = to;
            if from == self.steps {
                break;
            }
        }
    }

    fn some<const R: usize>(&self, row: usize, from: usize, to: usize) {
        let registers = S::TILE.0 * S::TILE.1;
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
        let mut rows: [&[S::Part]; R] = [&[]; R];
        for (number, parts) in rows.iter_mut().enumerate() {
            *parts = &self.rows[(row + number) * self.steps..][from..to];
        }
        let mut panels: [&[Line]; P] = [&[]; P];
        for (number, lines) in panels.iter_mut().enumerate() {
            *lines = &self.lines[(panel + number) * self.steps..][from..to];
        }
        self.by.isa().enter(Tile {
            by: self.by,
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
struct Tile<'a, S: Steps, const R: usize, const P: usize> {
    by: S,
    /// `steps` each, as are `panels`.
    rows: [&'a [S::Part]; R],
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

impl<S: Steps, const R: usize, const P: usize> Kernel<S::Isa> for Tile<'_, S, R, P> {
    #[inline(always)]
    fn run(self, isa: S::Isa) {
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
            let panels = &self.panels;
            // SAFETY: all slices have `steps` elements, by the checks above.
            let mut weights = [self.by.weights(unsafe { panels[0].get_unchecked(step) }); P];
            for (weights, lines) in weights.iter_mut().zip(panels) {
                // SAFETY: as above.
                *weights = self.by.weights(unsafe { lines.get_unchecked(step) });
            }
            for (sums, row) in sums.iter_mut().zip(&self.rows) {
                // SAFETY: as above.
                let part = unsafe { *row.get_unchecked(step) };
                for (sum, weights) in sums.iter_mut().zip(&weights) {
                    *sum = self.by.add(*sum, *weights, part);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (panel, sum) in sums.iter().enumerate() {
                let (row, panel) = (self.row + row, self.panel + panel);
                // SAFETY: as above.
                unsafe {
                    if self.complete {
                        self.sink.finish(isa, row, panel, *sum);
                    } else {
                        self.sink.write(row, panel, &isa.store(*sum));
                    }
                }
            }
        }
    }
}
