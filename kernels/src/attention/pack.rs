//! Queries, keys and values in the order in which products read them.

use std::ops::Range;

use super::terms::{Terms, steps};
use super::view::{Values, View};
use crate::isa::scores::Scores;
use crate::isa::{Kernel, LANES, Lanes};
use crate::line::{Line, view_mut};
use crate::matrix::Element;

/// Rows as columns: 16 rows are a panel, and a line holds a feature (or a pair of them) of its rows. `out` is
/// `[steps of features, panels]`.
pub(crate) struct Columns<'a, 'b, T> {
    pub(crate) terms: T,
    /// Of whole panels; rows that are missing are empty, and become zeros.
    pub(crate) rows: &'a [&'b [f32]],
    pub(crate) features: usize,
    /// Of an even number of features.
    pub(crate) out: &'a mut [Line],
}

impl<T: Terms> Kernel<T::Isa> for Columns<'_, '_, T> {
    #[inline(always)]
    fn run(self, isa: T::Isa) {
        let panels = self.rows.len() / LANES;
        for (panel, rows) in self.rows.as_chunks::<LANES>().0.iter().enumerate() {
            for first in (0..self.features).step_by(LANES) {
                let columns = isa.transpose(rows.map(|row| part(isa, row, first)));
                let count = (self.features - first).min(LANES);
                for at in (0..count).step_by(2) {
                    let two = [columns[at], columns[at + 1]];
                    self.terms
                        .put(&mut self.out[panel..], panels, first + at, two);
                }
            }
        }
    }
}

/// Rows as terms of a sum over them: a line holds 16 features of a row (or of a pair of them). `out` is
/// `[steps of rows, features / 16]`.
pub(crate) struct Sides<'a, 'b, T> {
    pub(crate) terms: T,
    /// An even number; rows that are missing are empty, and become zeros.
    pub(crate) rows: &'a [&'b [f32]],
    pub(crate) features: usize,
    pub(crate) out: &'a mut [Line],
}

impl<T: Terms> Kernel<T::Isa> for Sides<'_, '_, T> {
    #[inline(always)]
    fn run(self, isa: T::Isa) {
        let width = self.features.div_ceil(LANES);
        for (pair, rows) in self.rows.as_chunks::<2>().0.iter().enumerate() {
            for line in 0..width {
                let two = rows.map(|row| part(isa, row, line * LANES));
                self.terms.put(&mut self.out[line..], width, 2 * pair, two);
            }
        }
    }
}

/// 16 numbers of a row, and zeros past its end.
#[inline(always)]
fn part<I: Scores>(isa: I, row: &[f32], first: usize) -> I::F32 {
    let rest = row.get(first..).unwrap_or_default();
    if let Some(values) = rest.first_chunk() {
        return isa.load(values);
    }
    let mut values = [0.0; LANES];
    values[..rest.len()].copy_from_slice(rest);
    isa.load(&values)
}

/// Numbers of a token, filled up to whole steps.
pub(crate) const fn length<T: Terms>(features: usize) -> usize {
    steps::<T>(features) * T::TERMS
}

/// Some neighbouring tokens of one head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens<'a> {
    values: Values<'a>,
    start: usize,
    stride: usize,
    count: usize,
    features: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(view: &View<'a>, batch: usize, head: usize, tokens: Range<usize>) -> Self {
        Self {
            values: view.values,
            start: view.place(batch, head, tokens.start),
            stride: view.stride(),
            count: tokens.len(),
            features: view.shape[3],
        }
    }

    /// Where they lie, and how far apart, if products can read them there.
    pub(crate) fn borrow<T: Terms>(&self, terms: T) -> Option<(&'a [T::Number], usize)> {
        let numbers = terms.borrow(self.values, self.features)?;
        Some((&numbers[self.start..], self.stride))
    }

    /// Where products can read them, packed if they must be, and how far apart they are.
    pub(crate) fn rows<'b, T: Terms>(
        self,
        terms: T,
        memory: &'b mut [Line],
    ) -> (&'b [T::Number], usize)
    where
        'a: 'b,
    {
        if let Some(lying) = self.borrow(terms) {
            return lying;
        }
        let length = length::<T>(self.features);
        let out = view_mut::<T::Number>(memory, self.count * length);
        terms.isa().enter(Rows {
            terms,
            tokens: self,
            length,
            out,
        });
        (out, length)
    }
}

/// Evaluates an expression with a function from a token's number to its features.
macro_rules! each {
    ($tokens:expr, $row:ident => $expression:expr) => {{
        let tokens = $tokens;
        match tokens.values {
            Values::F32(values) => {
                let $row = |token| row(values, &tokens, token);
                $expression
            }
            Values::Bf16(values) => {
                let $row = |token| row(values, &tokens, token);
                $expression
            }
            Values::F16(values) => {
                let $row = |token| row(values, &tokens, token);
                $expression
            }
        }
    }};
}

#[inline(always)]
fn row<'a, E>(values: &'a [E], tokens: &Tokens, token: usize) -> &'a [E] {
    &values[tokens.start + token * tokens.stride..][..tokens.features]
}

/// Token after token, each filled up with zeros to a length: `[tokens, length]`.
pub(crate) struct Rows<'a, 'b, T: Terms> {
    pub(crate) terms: T,
    pub(crate) tokens: Tokens<'a>,
    pub(crate) length: usize,
    pub(crate) out: &'b mut [T::Number],
}

impl<T: Terms> Kernel<T::Isa> for Rows<'_, '_, T> {
    #[inline(always)]
    fn run(self, _: T::Isa) {
        let terms = self.terms;
        each!(&self.tokens, row => {
            let rows = self.out.chunks_exact_mut(self.length);
            for (token, out) in rows.take(self.tokens.count).enumerate() {
                copy(terms, row(token), out);
            }
        });
    }
}

#[inline(always)]
fn copy<T: Terms>(terms: T, row: &[impl Element], out: &mut [T::Number]) {
    let (out, rest) = out.split_at_mut(row.len());
    for (out, value) in out.iter_mut().zip(row) {
        *out = terms.number(value.to_f32());
    }
    rest.fill(terms.number(0.0));
}

/// Tokens as terms of a sum over them: `[steps of tokens, features, TERMS]`.
pub(crate) struct Mixed<'a, 'b, T: Terms> {
    pub(crate) terms: T,
    pub(crate) tokens: Tokens<'a>,
    pub(crate) out: &'b mut [T::Number],
}

impl<T: Terms> Kernel<T::Isa> for Mixed<'_, '_, T> {
    #[inline(always)]
    fn run(self, _: T::Isa) {
        let (terms, count) = (self.terms, self.tokens.count);
        each!(&self.tokens, row => {
            let lines = self.out.chunks_exact_mut(self.tokens.features * T::TERMS);
            for (step, out) in lines.take(steps::<T>(count)).enumerate() {
                if T::TERMS == 1 {
                    copy(terms, row(step), out);
                } else if 2 * step + 1 < count {
                    let (first, second) = (row(2 * step), row(2 * step + 1));
                    let pairs = out.as_chunks_mut::<2>().0.iter_mut();
                    for (pair, (first, second)) in pairs.zip(first.iter().zip(second)) {
                        *pair = [terms.number(first.to_f32()), terms.number(second.to_f32())];
                    }
                } else {
                    for (pair, value) in out.as_chunks_mut::<2>().0.iter_mut().zip(row(2 * step)) {
                        *pair = [terms.number(value.to_f32()), terms.number(0.0)];
                    }
                }
            }
        });
    }
}
