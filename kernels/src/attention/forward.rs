//! Attention of some queries at a time to all that they see.

use std::ops::Range;

use super::pack::{Columns, Mixed, Tokens, length};
use super::product::Product;
use super::seen::Seen;
use super::softmax::{Mask, NONE, Running, Softmax};
use super::terms::{Terms, steps};
use super::tile::{PANELS, Shape, Sight};
use super::view::{Heads, View};
use crate::isa::scores::Scores;
use crate::isa::{Kernel, LANES, Lanes};
use crate::line::{Line, lines, view_mut};
use crate::schedule;
use crate::scratch::Scratch;
use crate::sink::Sink;

/// Keys whose scores are held at a time.
const KEYS: usize = 96;

/// What is computed, and where it goes.
pub(crate) struct Forward<'a> {
    pub(crate) shape: Shape,
    pub(crate) scale: f32,
    pub(crate) cap: Option<f32>,
    pub(crate) seen: Seen<'a>,
    pub(crate) queries: Heads<'a, f32>,
    pub(crate) keys: View<'a>,
    pub(crate) values: View<'a>,
    /// `[batch · query · head, head_dim]`
    pub(crate) out: Sink<'a>,
    /// `[batch · head · query, 1]`
    pub(crate) log_sums: Option<Sink<'a>>,
}

impl Forward<'_> {
    pub(crate) fn forward<T: Terms>(&self, terms: T) {
        let shape = &self.shape;
        if shape.queries == 1 {
            return self.decode(terms);
        }
        let tiles = shape.tiles();
        let tasks = shape.batch * shape.kv_heads * tiles;
        let cost = 2 * shape.batch * shape.heads * shape.queries * shape.keys * shape.features;
        schedule::each(tasks, cost, |task| {
            // The last queries see most in causal attention: they go first.
            let (head, tile) = (task / tiles, tiles - 1 - task % tiles);
            self.tile(terms, (head / shape.kv_heads, head % shape.kv_heads), tile);
        });
    }

    fn tile<T: Terms>(&self, terms: T, (batch, kv_head): (usize, usize), tile: usize) {
        let (shape, isa) = (&self.shape, terms.isa());
        let (group, features) = (shape.group(), shape.features);
        let rows = shape.tile(tile);
        let panels = rows.len().div_ceil(LANES);
        let sight = Sight::new(self.seen, shape, batch, rows.clone());
        Scratch::with(|scratch| {
            let [queries, scores, out, keys, values, largest, sum, factor] = scratch.parts([
                features.next_multiple_of(2) * panels,
                KEYS * panels,
                features.next_multiple_of(LANES) * panels,
                lines::<T::Number>(KEYS * length::<T>(features)),
                lines::<T::Number>(KEYS * features),
                panels,
                panels,
                panels,
            ]);
            let mut views: [&[f32]; PANELS * LANES] = [&[]; PANELS * LANES];
            for (view, row) in views.iter_mut().zip(rows.clone()) {
                let head = kv_head * group + row % group;
                *view = self.queries.row(batch, head, row / group);
            }
            isa.enter(Columns {
                terms,
                rows: &views[..panels * LANES],
                features,
                out: queries,
            });
            out.fill(Line::ZERO);
            sum.fill(Line::ZERO);
            for line in largest.iter_mut() {
                *line.f32s_mut() = [NONE; LANES];
            }
            let mut state = State {
                queries,
                scores,
                out,
                packed: (keys, values),
                running: Running {
                    largest,
                    sum,
                    factor,
                },
            };
            for block in sight.blocks(KEYS) {
                let mask = sight.mask(&block, panels);
                self.block(terms, (batch, kv_head), block, mask, &mut state);
            }
            isa.enter(Finish {
                sums: state.out,
                sum: state.running.sum,
                rows: rows.len(),
                features,
                place: |row: usize| {
                    let (query, head) = ((rows.start + row) / group, (rows.start + row) % group);
                    (batch * shape.queries + query) * shape.heads + kv_head * group + head
                },
                out: &self.out,
            });
            if let Some(sink) = &self.log_sums {
                for (at, row) in rows.clone().enumerate() {
                    let largest = state.running.largest[at / LANES].f32s()[at % LANES];
                    let sum = state.running.sum[at / LANES].f32s()[at % LANES];
                    let head = batch * shape.heads + kv_head * group + row % group;
                    let mut value = [0.0; LANES];
                    value[0] = log_sum(largest, sum);
                    // SAFETY: each query of each head is in one tile, and each tile in one task.
                    unsafe { sink.write(head * shape.queries + row / group, 0, &value) };
                }
            }
        });
    }

    /// Adds what the queries of a tile make of a block of keys.
    fn block<T: Terms>(
        &self,
        terms: T,
        (batch, kv_head): (usize, usize),
        block: Range<usize>,
        mask: Option<Mask>,
        state: &mut State,
    ) {
        let (isa, features) = (terms.isa(), self.shape.features);
        let panels = state.running.sum.len();
        let tokens = Tokens::new(&self.keys, batch, kv_head, block.clone());
        let (a, stride) = tokens.rows(terms, state.packed.0);
        isa.enter(Product {
            terms,
            a,
            strides: (stride, T::TERMS),
            rows: block.len(),
            steps: steps::<T>(features),
            b: state.queries,
            width: panels,
            c: state.scores,
            resumed: false,
            factor: score_factor(self.scale, self.cap),
        });
        isa.enter(Softmax {
            terms,
            scores: state.scores,
            keys: block.len(),
            running: &mut state.running,
            mask,
            cap: self.cap.map(|cap| cap * std::f32::consts::LOG2_E),
        });
        let count = steps::<T>(block.len());
        let numbers = view_mut::<T::Number>(state.packed.1, count * T::TERMS * features);
        isa.enter(Mixed {
            terms,
            tokens: Tokens::new(&self.values, batch, kv_head, block),
            out: numbers,
        });
        isa.enter(Rescale {
            out: state.out,
            factor: state.running.factor,
        });
        isa.enter(Product {
            terms,
            a: numbers,
            strides: (T::TERMS, features * T::TERMS),
            rows: features,
            steps: count,
            b: state.scores,
            width: panels,
            c: state.out,
            resumed: true,
            factor: 1.0,
        });
    }
}

/// What a tile of queries keeps from one block of keys to the next, and memory for the block.
struct State<'a> {
    /// `[steps of features, panels]`
    queries: &'a [Line],
    /// `[KEYS, panels]`
    scores: &'a mut [Line],
    /// `[features, panels]`
    out: &'a mut [Line],
    /// For the keys and the values of a block.
    packed: (&'a mut [Line], &'a mut [Line]),
    running: Running<'a>,
}

/// What turns products into scores of powers of 2, or into what the hyperbolic tangent is taken of.
pub(crate) fn score_factor(scale: f32, cap: Option<f32>) -> f32 {
    match cap {
        Some(cap) => scale / cap,
        None => scale * std::f32::consts::LOG2_E,
    }
}

/// `ln(sum · 2^largest)`; −∞ of nothing.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn log_sum(largest: f32, sum: f32) -> f32 {
    (f64::from(largest) * std::f64::consts::LN_2 + f64::from(sum).ln()) as f32
}

/// Multiplies sums `[features, panels]` by what the largest scores have grown.
struct Rescale<'a> {
    out: &'a mut [Line],
    factor: &'a [Line],
}

impl<I: Lanes> Kernel<I> for Rescale<'_> {
    #[inline(always)]
    fn run(self, isa: I) {
        if self.factor.iter().all(|line| *line.f32s() == [1.0; LANES]) {
            return;
        }
        for lines in self.out.chunks_exact_mut(self.factor.len()) {
            for (line, factor) in lines.iter_mut().zip(self.factor) {
                let place = line.f32s_mut();
                *place = isa.store(isa.mul(isa.load(place), isa.load(factor.f32s())));
            }
        }
    }
}

/// Divides sums `[features, panels]` by those of the weights, and writes them query after query.
pub(crate) struct Finish<'a, P> {
    pub(crate) sums: &'a [Line],
    pub(crate) sum: &'a [Line],
    pub(crate) rows: usize,
    pub(crate) features: usize,
    /// The row of `out` of a row of the tile.
    pub(crate) place: P,
    pub(crate) out: &'a Sink<'a>,
}

impl<I: Scores, P: Fn(usize) -> usize> Kernel<I> for Finish<'_, P> {
    #[inline(always)]
    fn run(self, isa: I) {
        let panels = self.sum.len();
        let zero = isa.splat(0.0);
        for panel in 0..panels {
            let sum = isa.load(self.sum[panel].f32s());
            // A query that sees nothing has sums of 0, and a NaN stays one.
            let inverse = isa.less(zero, sum, isa.div(isa.splat(1.0), sum), sum);
            for first in (0..self.features).step_by(LANES) {
                let mut columns = [zero; LANES];
                for (at, column) in columns.iter_mut().enumerate() {
                    let line = &self.sums[(first + at) * panels + panel];
                    *column = isa.mul(isa.load(line.f32s()), inverse);
                }
                let rows = isa.transpose(columns);
                for (lane, row) in rows.into_iter().enumerate() {
                    let number = panel * LANES + lane;
                    if number < self.rows {
                        let values = isa.store(row);
                        // SAFETY: each query of each head is in one tile, and each tile in one task.
                        unsafe {
                            self.out.write((self.place)(number), first / LANES, &values);
                        }
                    }
                }
            }
        }
    }
}
