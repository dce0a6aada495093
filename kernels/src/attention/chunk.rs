//! Some keys, and one query of each head that reads them.

use std::ops::Range;

use super::pack::{Rows, Tokens};
use super::softmax::{NONE, UNSEEN, power};
use super::terms::{F32, Terms, WIDE};
use super::view::View;
use crate::isa::scores::Scores;
use crate::isa::{Floats, Kernel, LANES, Lanes};
use crate::line::Line;
use crate::math::tanh;

/// Keys of a chunk.
pub(crate) const CHUNK: usize = 512;
/// Heads of queries whose sums are in registers together.
const HEADS: usize = 4;

/// Where rows of [`WIDE`] numbers come from: as they lie, or packed 16 at a time.
pub(crate) enum Source<'a, T: Terms> {
    Lying {
        numbers: &'a [T::Number],
        stride: usize,
    },
    Packed {
        view: View<'a>,
        head: (usize, usize),
        first: usize,
    },
}

impl<'a, T: Terms> Source<'a, T> {
    pub(crate) fn new(terms: T, view: &View<'a>, head: (usize, usize), keys: Range<usize>) -> Self {
        let first = keys.start;
        if view.shape[3].is_multiple_of(WIDE)
            && let Some((numbers, stride)) = Tokens::new(view, head.0, head.1, keys).borrow(terms)
        {
            return Self::Lying { numbers, stride };
        }
        Self::Packed {
            view: *view,
            head,
            first,
        }
    }

    /// The rows `start .. start + count`, of 16; those that are missing are zeros. `packed` has room for 17.
    #[inline(always)]
    fn rows<'b>(
        &self,
        terms: T,
        packed: &'b mut [T::Number],
        wide: usize,
        start: usize,
        count: usize,
    ) -> [&'b [T::Number]; LANES]
    where
        'a: 'b,
    {
        let (packed, zeros) = packed.split_at_mut(LANES * wide);
        let mut rows: [&[T::Number]; LANES] = [&zeros[..wide]; LANES];
        match self {
            Self::Lying { numbers, stride } => {
                for (at, row) in rows.iter_mut().enumerate().take(count) {
                    *row = &numbers[(start + at) * stride..][..wide];
                }
            }
            Self::Packed { view, head, first } => {
                let tokens = first + start..first + start + count;
                Rows {
                    terms,
                    tokens: Tokens::new(view, head.0, head.1, tokens),
                    length: wide,
                    out: packed,
                }
                .run(terms.isa());
                for (row, packed) in rows.iter_mut().zip(packed.chunks_exact(wide)).take(count) {
                    *row = packed;
                }
            }
        }
        rows
    }
}

/// Some keys and all heads that read them.
pub(crate) struct Chunk<'a, 'b, T: Terms> {
    pub(crate) terms: T,
    pub(crate) group: usize,
    /// Numbers of a row, filled up with zeros.
    pub(crate) wide: usize,
    pub(crate) scale: f32,
    pub(crate) cap: Option<f32>,
    /// Of the query, and of the keys.
    pub(crate) segments: Option<(u32, &'a [u32])>,
    pub(crate) keys: Source<'a, T>,
    pub(crate) values: Source<'a, T>,
    pub(crate) count: usize,
    /// `[group, wide]`
    pub(crate) queries: &'b [T::Number],
    /// `[group, CHUNK]`
    pub(crate) scores: &'b mut [Line],
    /// `[group, CHUNK]`
    pub(crate) weights: &'b mut [T::Number],
    pub(crate) packed: &'b mut [T::Number],
    /// `[group, wide + 16]`
    pub(crate) out: &'b mut [Line],
}

impl<T: Terms> Kernel<T::Isa> for Chunk<'_, '_, T> {
    #[inline(always)]
    fn run(mut self, isa: T::Isa) {
        let wide = self.wide;
        self.packed[LANES * wide..].fill(self.terms.number(0.0));
        assert_eq!(self.queries.len(), self.group * wide);
        for start in (0..self.count).step_by(LANES) {
            let count = (self.count - start).min(LANES);
            let rows = self.keys.rows(self.terms, self.packed, wide, start, count);
            for (head, query) in self.queries.chunks_exact(wide).enumerate() {
                let mut dots = [isa.splat(0.0); LANES];
                for (dots, rows) in dots.chunks_exact_mut(8).zip(rows.chunks_exact(8)) {
                    dot::<T>(self.terms, dots, rows, query);
                }
                let scores = isa.mul(isa.sums(dots), isa.splat(self.scale));
                let place = self.scores[(head * CHUNK + start) / LANES].f32s_mut();
                *place = isa.store(scores);
                place[count..].fill(UNSEEN);
            }
        }
        for head in 0..self.group {
            self.softmax(isa, head);
        }
        for start in (0..self.count).step_by(LANES) {
            let count = (self.count - start).min(LANES);
            let rows = self
                .values
                .rows(self.terms, self.packed, wide, start, count);
            let mut head = 0;
            while head < self.group {
                let heads = (self.group - head).min(HEADS);
                let weights = &self.weights[head * CHUNK + start..];
                let part = wide / LANES + 1;
                let out = &mut self.out[head * part..];
                match heads {
                    1 => add::<T, 1>(self.terms, rows, weights, out, wide),
                    2 => add::<T, 2>(self.terms, rows, weights, out, wide),
                    3 => add::<T, 3>(self.terms, rows, weights, out, wide),
                    _ => add::<T, HEADS>(self.terms, rows, weights, out, wide),
                }
                head += heads;
            }
        }
    }
}

impl<T: Terms> Chunk<'_, '_, T> {
    /// Turns a head's scores into weights, and begins its sums.
    #[inline(always)]
    fn softmax(&mut self, isa: T::Isa, head: usize) {
        let used = self.count.div_ceil(LANES);
        let scores = &mut self.scores[head * CHUNK / LANES..][..used];
        let mut largest = isa.splat(NONE);
        for (at, line) in scores.iter_mut().enumerate() {
            let mut score = isa.load(line.f32s());
            if let Some(cap) = self.cap {
                score = isa.mul(tanh(isa, score), isa.splat(cap));
            }
            if let Some((own, segments)) = self.segments {
                let mut numbers = [own; LANES];
                let segments = &segments[at * LANES..];
                let count = segments.len().min(LANES);
                numbers[..count].copy_from_slice(&segments[..count]);
                score = isa.equal(own, &numbers, score, isa.splat(UNSEEN));
            }
            *line.f32s_mut() = isa.store(score);
            if self.cap.is_some() && at + 1 == used {
                line.f32s_mut()[self.count - at * LANES..].fill(UNSEEN);
                score = isa.load(line.f32s());
            }
            largest = isa.max(score, largest);
        }
        let largest = isa.largest(isa.nearest(largest)).max(NONE);
        let mut sum = isa.splat(0.0);
        let weights = &mut self.weights[head * CHUNK..][..used * LANES];
        for (line, weights) in scores.iter().zip(weights.chunks_exact_mut(LANES)) {
            let weight = power(isa, isa.load(line.f32s()), isa.splat(largest));
            sum = isa.add(sum, weight);
            for (weight, value) in weights.iter_mut().zip(isa.store(weight)) {
                *weight = self.terms.number(value);
            }
        }
        let part = self.wide / LANES + 1;
        let out = &mut self.out[head * part..][..part];
        out.fill(Line::ZERO);
        let last = out[part - 1].f32s_mut();
        (last[0], last[1]) = (largest, isa.sum(sum));
    }
}

/// Products of eight rows with a query, lane by lane.
#[inline(always)]
fn dot<T: Terms>(terms: T, dots: &mut [F32<T>], rows: &[&[T::Number]], query: &[T::Number]) {
    let mut sums = [terms.isa().splat(0.0); 8];
    assert!(rows.len() == 8 && rows.iter().all(|row| row.len() == query.len()));
    for first in (0..query.len() / WIDE).map(|at| at * WIDE) {
        for (sum, row) in sums.iter_mut().zip(rows) {
            // SAFETY: `WIDE` numbers lie in both from `first` on.
            *sum = unsafe { terms.dot(*sum, query.as_ptr().add(first), row.as_ptr().add(first)) };
        }
    }
    dots.copy_from_slice(&sums);
}

/// Adds 16 rows times their weights to the sums of `R` heads.
#[inline(always)]
fn add<T: Terms, const R: usize>(
    terms: T,
    rows: [&[T::Number]; LANES],
    weights: &[T::Number],
    out: &mut [Line],
    wide: usize,
) {
    let isa = terms.isa();
    let part = wide / LANES + 1;
    assert!(rows.iter().all(|row| row.len() == wide));
    assert!(weights.len() >= (R - 1) * CHUNK + LANES && out.len() >= R * part);
    for first in (0..wide).step_by(WIDE) {
        let mut sums = [[isa.splat(0.0); 2]; R];
        for (head, sums) in sums.iter_mut().enumerate() {
            for (half, sum) in sums.iter_mut().enumerate() {
                *sum = isa.load(out[head * part + first / LANES + half].f32s());
            }
        }
        for at in (0..LANES).step_by(T::TERMS) {
            let two = [rows[at], rows[at + T::TERMS - 1]];
            // SAFETY: rows are `wide` long, a multiple of `WIDE`.
            let sides = unsafe { terms.wide(two.map(|row| row.as_ptr().add(first))) };
            for (head, sums) in sums.iter_mut().enumerate() {
                // SAFETY: by the check above; `at + TERMS` is at most `LANES`.
                let one = unsafe { terms.one(weights.as_ptr().add(head * CHUNK + at)) };
                for (sum, side) in sums.iter_mut().zip(sides) {
                    *sum = terms.add(*sum, side, one);
                }
            }
        }
        for (head, sums) in sums.iter().enumerate() {
            for (half, sum) in sums.iter().enumerate() {
                *out[head * part + first / LANES + half].f32s_mut() = isa.store(*sum);
            }
        }
    }
}
