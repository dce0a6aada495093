//! Gradients of attention, which computes its weights anew (arXiv 2205.14135, algorithm 4).
//!
//! A head of keys is one task, so that the gradients of its keys and values are sums in one order.

use std::ops::Range;

use super::forward::{Finish, score_factor};
use super::pack::{Columns, Mixed, Sides, Tokens, length};
use super::product::Product;
use super::seen::Seen;
use super::slope::Differentiate;
use super::softmax::Mask;
use super::terms::{Terms, steps};
use super::tile::{PANELS, Shape, Sight};
use super::view::{Heads, View};
use crate::isa::{LANES, Lanes};
use crate::line::{Line, lines, split, view_mut};
use crate::schedule;
use crate::scratch::Scratch;
use crate::sink::Sink;

/// Keys whose weights are held at a time.
const KEYS: usize = 96;
/// Queries of a tile.
const QUERIES: usize = PANELS * LANES;

/// What a forward pass of attention read and wrote.
#[derive(Debug, Clone, Copy)]
pub struct Forwarded<'a> {
    /// `[batch, heads, query, head_dim]`
    pub queries: Heads<'a, f32>,
    /// `[batch, kv_heads, key, head_dim]`
    pub keys: Heads<'a, f32>,
    /// `[batch, kv_heads, key, head_dim]`
    pub values: Heads<'a, f32>,
    /// `[batch, query, heads, head_dim]`
    pub out: &'a [f32],
    /// `[batch, heads, query]`
    pub log_sums: &'a [f32],
}

/// Where the gradients of attention are written to, whatever was there.
#[derive(Debug)]
pub struct AttentionGradients<'a> {
    /// `[batch, query, heads, head_dim]`
    pub queries: &'a mut [f32],
    /// `[batch, key, kv_heads, head_dim]`
    pub keys: &'a mut [f32],
    /// `[batch, key, kv_heads, head_dim]`
    pub values: &'a mut [f32],
}

/// What is computed, and where it goes.
pub(crate) struct Backward<'a> {
    pub(crate) shape: Shape,
    pub(crate) scale: f32,
    pub(crate) cap: Option<f32>,
    pub(crate) seen: Seen<'a>,
    pub(crate) forwarded: Forwarded<'a>,
    pub(crate) keys: View<'a>,
    pub(crate) values: View<'a>,
    /// Of `out`.
    pub(crate) gradient: Heads<'a, f32>,
    pub(crate) d_queries: Sink<'a>,
    pub(crate) d_keys: Sink<'a>,
    pub(crate) d_values: Sink<'a>,
}

impl Backward<'_> {
    pub(crate) fn backward<T: Terms>(&self, terms: T) {
        let shape = &self.shape;
        let tasks = shape.batch * shape.kv_heads;
        let cost = 5 * shape.batch * shape.heads * shape.queries * shape.keys * shape.features;
        schedule::each(tasks, cost, |task| {
            self.head(terms, (task / shape.kv_heads, task % shape.kv_heads));
        });
    }

    /// All queries of a head of keys.
    fn head<T: Terms>(&self, terms: T, (batch, kv_head): (usize, usize)) {
        let shape = &self.shape;
        let width = shape.features.div_ceil(LANES);
        Scratch::with(|scratch| {
            let [d_keys, d_values, rest] = scratch.parts([
                shape.keys * width,
                shape.keys * width,
                Memory::lines::<T>(shape.features),
            ]);
            d_keys.fill(Line::ZERO);
            d_values.fill(Line::ZERO);
            let mut memory = Memory::new::<T>(rest, shape.features);
            for tile in 0..shape.tiles() {
                self.tile(
                    terms,
                    (batch, kv_head),
                    tile,
                    &mut memory,
                    (d_keys, d_values),
                );
            }
            for (lines, sink) in [(d_keys, &self.d_keys), (d_values, &self.d_values)] {
                for (key, lines) in lines.chunks_exact(width).enumerate() {
                    let row = (batch * shape.keys + key) * shape.kv_heads + kv_head;
                    for (panel, line) in lines.iter().enumerate() {
                        // SAFETY: each head of keys is one task.
                        unsafe { sink.write(row, panel, line.f32s()) };
                    }
                }
            }
        });
    }

    fn tile<T: Terms>(
        &self,
        terms: T,
        (batch, kv_head): (usize, usize),
        tile: usize,
        memory: &mut Memory,
        (d_keys, d_values): (&mut [Line], &mut [Line]),
    ) {
        let (shape, isa) = (&self.shape, terms.isa());
        let (group, features) = (shape.group(), shape.features);
        let rows = shape.tile(tile);
        let panels = rows.len().div_ceil(LANES);
        let sight = Sight::new(self.seen, shape, batch, rows.clone());
        // The query, and the head.
        let place = |row: usize| (row / group, kv_head * group + row % group);

        let mut queries: [&[f32]; QUERIES] = [&[]; QUERIES];
        let mut gradients = queries;
        for line in memory.log_sums.iter_mut().chain(memory.deltas.iter_mut()) {
            *line = Line::ZERO;
        }
        for (at, row) in rows.clone().enumerate() {
            let (query, head) = place(row);
            queries[at] = self.forwarded.queries.row(batch, head, query);
            gradients[at] = self.gradient.row(batch, head, query);
            let start = ((batch * shape.queries + query) * shape.heads + head) * features;
            let out = &self.forwarded.out[start..][..features];
            let log_sum =
                self.forwarded.log_sums[(batch * shape.heads + head) * shape.queries + query];
            // Nothing is seen where it is −∞.
            if log_sum > f32::NEG_INFINITY || log_sum.is_nan() {
                memory.log_sums[at / LANES].f32s_mut()[at % LANES] =
                    log_sum * std::f32::consts::LOG2_E;
            }
            memory.deltas[at / LANES].f32s_mut()[at % LANES] = dot(out, gradients[at]);
        }
        for (rows, columns, sides) in [
            (
                &queries,
                &mut *memory.query_columns,
                &mut *memory.query_sides,
            ),
            (
                &gradients,
                &mut *memory.gradient_columns,
                &mut *memory.gradient_sides,
            ),
        ] {
            let rows = &rows[..panels * LANES];
            isa.enter(Columns {
                terms,
                rows,
                features,
                out: columns,
            });
            isa.enter(Sides {
                terms,
                rows,
                features,
                out: sides,
            });
        }
        memory.d_queries.fill(Line::ZERO);
        for block in sight.blocks(KEYS) {
            let mask = sight.mask(&block, panels);
            let width = features.div_ceil(LANES);
            let lines = block.start * width..block.end * width;
            let out = (&mut d_keys[lines.clone()], &mut d_values[lines]);
            self.block(terms, (batch, kv_head), block, (mask, panels), memory, out);
        }
        for line in memory.ones.iter_mut() {
            *line.f32s_mut() = [1.0; LANES];
        }
        isa.enter(Finish {
            sums: memory.d_queries,
            sum: &memory.ones[..panels],
            rows: rows.len(),
            features,
            place: |row: usize| {
                let (query, head) = place(rows.start + row);
                (batch * shape.queries + query) * shape.heads + head
            },
            out: &self.d_queries,
        });
    }

    /// What a tile of queries and a block of keys add to the gradients of either.
    fn block<T: Terms>(
        &self,
        terms: T,
        (batch, kv_head): (usize, usize),
        block: Range<usize>,
        (mask, panels): (Option<Mask>, usize),
        memory: &mut Memory,
        (d_keys, d_values): (&mut [Line], &mut [Line]),
    ) {
        let (isa, features) = (terms.isa(), self.shape.features);
        let count = block.len();
        let tokens = |view| Tokens::new(view, batch, kv_head, block.clone());
        for (view, columns, out, factor) in [
            (
                &self.keys,
                &*memory.query_columns,
                &mut *memory.scores,
                score_factor(self.scale, self.cap),
            ),
            (
                &self.values,
                &*memory.gradient_columns,
                &mut *memory.gradients,
                1.0,
            ),
        ] {
            let (a, stride) = tokens(view).rows(terms, memory.packed);
            isa.enter(Product {
                terms,
                a,
                strides: (stride, T::TERMS),
                rows: count,
                steps: steps::<T>(features),
                b: columns,
                width: panels,
                c: out,
                resumed: false,
                factor,
            });
        }
        let length = panels * LANES;
        let weights = view_mut::<T::Number>(memory.weights, count * length);
        let slopes = view_mut::<T::Number>(memory.slopes, count * length);
        isa.enter(Differentiate {
            terms,
            keys: count,
            scores: memory.scores,
            gradients: memory.gradients,
            weights,
            slopes,
            log_sums: &memory.log_sums[..panels],
            deltas: &memory.deltas[..panels],
            mask,
            scale: self.scale,
            cap: self.cap.map(|cap| cap * std::f32::consts::LOG2_E),
        });
        for (a, b, c) in [
            (&*weights, &*memory.gradient_sides, d_values),
            (&*slopes, &*memory.query_sides, d_keys),
        ] {
            isa.enter(Product {
                terms,
                a,
                strides: (length, T::TERMS),
                rows: count,
                steps: length / T::TERMS,
                b,
                width: features.div_ceil(LANES),
                c,
                resumed: true,
                factor: 1.0,
            });
        }
        let count = steps::<T>(count);
        let numbers = view_mut::<T::Number>(memory.packed, count * T::TERMS * features);
        isa.enter(Mixed {
            terms,
            tokens: tokens(&self.keys),
            out: numbers,
        });
        isa.enter(Product {
            terms,
            a: numbers,
            strides: (T::TERMS, features * T::TERMS),
            rows: features,
            steps: count,
            b: memory.gradients,
            width: panels,
            c: memory.d_queries,
            resumed: true,
            factor: 1.0,
        });
    }
}

/// In f64, as it is subtracted from what it is near to.
#[allow(clippy::cast_possible_truncation)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let terms = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    terms.sum::<f64>() as f32
}

/// Memory for a tile of queries and a block of keys.
struct Memory<'a> {
    /// `[steps of features, panels]`, as are those of the gradient.
    query_columns: &'a mut [Line],
    gradient_columns: &'a mut [Line],
    /// `[steps of queries, features / 16]`, as are those of the gradient.
    query_sides: &'a mut [Line],
    gradient_sides: &'a mut [Line],
    /// `[features, panels]`
    d_queries: &'a mut [Line],
    /// `[KEYS, panels]`, as are the gradients of weights.
    scores: &'a mut [Line],
    gradients: &'a mut [Line],
    /// `[KEYS, 16 · panels]` numbers, as are the slopes.
    weights: &'a mut [Line],
    slopes: &'a mut [Line],
    /// For keys or values.
    packed: &'a mut [Line],
    /// A line for each panel.
    log_sums: &'a mut [Line],
    deltas: &'a mut [Line],
    ones: &'a mut [Line],
}

impl<'a> Memory<'a> {
    fn counts<T: Terms>(features: usize) -> [usize; 13] {
        let columns = features.next_multiple_of(2) * PANELS;
        let sides = QUERIES * features.div_ceil(LANES);
        let scores = KEYS * PANELS;
        let numbers = lines::<T::Number>(KEYS * QUERIES);
        [
            columns,
            columns,
            sides,
            sides,
            features.next_multiple_of(LANES) * PANELS,
            scores,
            scores,
            numbers,
            numbers,
            lines::<T::Number>(KEYS * length::<T>(features)),
            PANELS,
            PANELS,
            PANELS,
        ]
    }

    fn lines<T: Terms>(features: usize) -> usize {
        Self::counts::<T>(features).iter().sum()
    }

    fn new<T: Terms>(memory: &'a mut [Line], features: usize) -> Self {
        let [
            query_columns,
            gradient_columns,
            query_sides,
            gradient_sides,
            d_queries,
            scores,
            gradients,
            weights,
            slopes,
            packed,
            log_sums,
            deltas,
            ones,
        ] = split(memory, Self::counts::<T>(features));
        Self {
            query_columns,
            gradient_columns,
            query_sides,
            gradient_sides,
            d_queries,
            scores,
            gradients,
            weights,
            slopes,
            packed,
            log_sums,
            deltas,
            ones,
        }
    }
}
