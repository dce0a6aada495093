//! Attention of one query of each row: a step of generation, which waits for the memory of the keys.
//!
//! Keys are cut into chunks, counted from the first that the query sees, and each chunk is worked on by itself, by
//! all heads that share it. So results depend on neither threads nor what else is in the batch.

use std::ops::Range;

use super::chunk::{CHUNK, Chunk, Source};
use super::forward::{Forward, log_sum, score_factor};
use super::softmax::NONE;
use super::terms::{Terms, WIDE};
use crate::isa::{LANES, Lanes};
use crate::line::{Line, lines, view_mut};
use crate::schedule;
use crate::scratch::Scratch;

impl Forward<'_> {
    /// As `forward`, of one query.
    pub(crate) fn decode<T: Terms>(&self, terms: T) {
        let shape = &self.shape;
        let (group, wide) = (shape.group(), shape.features.next_multiple_of(WIDE));
        let span = |batch| {
            let [first, past] = self.seen.span((batch, 0), 1, shape.keys);
            first as usize..past as usize
        };
        let longest = (0..shape.batch).map(|batch| span(batch).len()).max();
        let chunks = longest.unwrap_or(0).div_ceil(CHUNK);
        // Of each head of a chunk: sums of values, then one line with the largest score and the sum of weights.
        let part = wide / LANES + 1;
        let parts = shape.batch * shape.kv_heads * chunks * group;
        let cost = 2 * shape.batch * shape.heads * shape.keys * shape.features;
        Scratch::with(|scratch| {
            let [parts] = scratch.parts([parts * part]);
            schedule::chunks(parts, group * part, cost, |task, out| {
                let (head, chunk) = (task / chunks, task % chunks);
                let (batch, kv_head) = (head / shape.kv_heads, head % shape.kv_heads);
                let span = span(batch);
                let start = span.start + chunk * CHUNK;
                if start < span.end {
                    let keys = start..(start + CHUNK).min(span.end);
                    self.chunk(terms, (batch, kv_head), keys, out);
                }
            });
            let parts = &*parts;
            let rows = shape.batch * shape.heads;
            schedule::each(rows, 8 * rows * chunks * wide, |row| {
                let (batch, head) = (row / shape.heads, row % shape.heads);
                let kv_head = batch * shape.kv_heads + head / group;
                let count = span(batch).len().div_ceil(CHUNK);
                let each = (0..count).map(|chunk| {
                    let at = (kv_head * chunks + chunk) * group + head % group;
                    &parts[at * part..][..part]
                });
                self.join::<T>(row, &each);
            });
        });
    }

    /// What the heads of a chunk's keys make of them.
    fn chunk<T: Terms>(
        &self,
        terms: T,
        (batch, kv_head): (usize, usize),
        keys: Range<usize>,
        out: &mut [Line],
    ) {
        let (group, features) = (self.shape.group(), self.shape.features);
        let wide = features.next_multiple_of(WIDE);
        Scratch::with(|scratch| {
            let [queries, scores, weights, packed] = scratch.parts([
                lines::<T::Number>(group * wide),
                group * CHUNK / LANES,
                lines::<T::Number>(group * CHUNK),
                lines::<T::Number>((LANES + 1) * wide),
            ]);
            let queries = view_mut::<T::Number>(queries, group * wide);
            for (head, out) in queries.chunks_exact_mut(wide).enumerate() {
                let row = self.queries.row(batch, kv_head * group + head, 0);
                for (out, value) in out
                    .iter_mut()
                    .zip(row.iter().chain(std::iter::repeat(&0.0)))
                {
                    *out = terms.number(*value);
                }
            }
            let segments = self.seen.segments(batch, 1, self.shape.keys);
            terms.isa().enter(Chunk {
                terms,
                group,
                wide,
                scale: score_factor(self.scale, self.cap),
                cap: self.cap.map(|cap| cap * std::f32::consts::LOG2_E),
                segments: segments.map(|(query, all)| (query[0], &all[keys.clone()])),
                keys: Source::new(terms, &self.keys, (batch, kv_head), keys.clone()),
                values: Source::new(terms, &self.values, (batch, kv_head), keys.clone()),
                count: keys.len(),
                queries,
                scores,
                weights: view_mut(weights, group * CHUNK),
                packed: view_mut(packed, (LANES + 1) * wide),
                out,
            });
        });
    }

    /// Adds up the chunks of a head, in their order.
    fn join<'a, T: Terms>(&self, row: usize, parts: &(impl Iterator<Item = &'a [Line]> + Clone)) {
        let numbers = |part: &'a [Line]| {
            let last = part[part.len() - 1].f32s();
            (last[0], last[1])
        };
        let largest = parts
            .clone()
            .map(|part| numbers(part).0)
            .fold(NONE, f32::max);
        let factor = |part| power_of_two(numbers(part).0 - largest);
        let sum = parts
            .clone()
            .fold(0.0, |sum, part| sum + numbers(part).1 * factor(part));
        let inverse = if sum == 0.0 { 0.0 } else { 1.0 / sum };
        for first in (0..self.shape.features).step_by(WIDE) {
            let mut out = [[0.0; LANES]; 2];
            for part in parts.clone() {
                let factor = factor(part);
                for (order, line) in T::ORDER.iter().zip(&part[first / LANES..]) {
                    for (place, value) in order.iter().zip(line.f32s()) {
                        out[place / LANES][place % LANES] += value * factor;
                    }
                }
            }
            for (half, out) in out.iter().enumerate() {
                if first + half * LANES < self.shape.features {
                    let values = out.map(|value| value * inverse);
                    // SAFETY: each row is one task.
                    unsafe { self.out.write(row, first / LANES + half, &values) };
                }
            }
        }
        if let Some(sink) = &self.log_sums {
            let mut value = [0.0; LANES];
            value[0] = log_sum(largest, sum);
            // SAFETY: as above.
            unsafe { sink.write(row, 0, &value) };
        }
    }
}

/// `2^exponent` of a whole number that is at most 0; 0 where that is no normal number.
fn power_of_two(exponent: f32) -> f32 {
    if exponent < -126.0 {
        return 0.0;
    }
    // 1 to 127.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    f32::from_bits((exponent as i32 + 127) as u32 * (1 << 23))
}
