//! Heads of queries, keys and values where somebody else holds them.

use half::{bf16, f16};

use crate::matrix::{Any, Element, Matrix};

/// A view `[batch, heads, token, head_dim]`: the features of a head lie side by side, and the other three strides are
/// what they are.
///
/// So `[batch, token, heads, head_dim]`, as a projection leaves it, is read without a transposition, and a cache
/// with room for more tokens without a copy.
#[derive(Debug, Clone, Copy)]
pub struct Heads<'a, E> {
    values: &'a [E],
    shape: [usize; 4],
    strides: [usize; 3],
}

impl<'a, E: Element> Heads<'a, E> {
    /// `shape` is `[batch, heads, token, head_dim]`; `strides` are those of batch, heads and token, in numbers.
    ///
    /// # Panics
    /// If the last number lies past the end of `values`.
    pub fn new(values: &'a [E], shape: [usize; 4], strides: [usize; 3]) -> Self {
        if !shape.contains(&0) {
            let last = shape
                .iter()
                .zip(strides)
                .try_fold(shape[3], |sum, (size, stride)| {
                    (size - 1).checked_mul(stride)?.checked_add(sum)
                });
            assert!(
                last.is_some_and(|last| last <= values.len()),
                "a view {shape:?} with strides {strides:?} of {} values",
                values.len()
            );
        }
        Self {
            values,
            shape,
            strides,
        }
    }

    /// `[batch, token, heads, head_dim]` without gaps.
    ///
    /// # Panics
    /// As [`Heads::new`].
    pub fn by_token(values: &'a [E], shape: [usize; 4]) -> Self {
        let [_, heads, tokens, features] = shape;
        let strides = [tokens * heads * features, features, heads * features];
        Self::new(values, shape, strides)
    }

    /// `[batch, heads, token, head_dim]` without gaps.
    ///
    /// # Panics
    /// As [`Heads::new`].
    pub fn by_head(values: &'a [E], shape: [usize; 4]) -> Self {
        let [_, heads, tokens, features] = shape;
        let strides = [heads * tokens * features, tokens * features, features];
        Self::new(values, shape, strides)
    }

    /// `[batch, heads, token, head_dim]`
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// One token of one head.
    #[inline(always)]
    pub(crate) fn row(&self, batch: usize, head: usize, token: usize) -> &'a [E] {
        let place = batch * self.strides[0] + head * self.strides[1] + token * self.strides[2];
        &self.values[place..][..self.shape[3]]
    }

    pub(crate) fn any(self) -> View<'a> {
        let values = match Matrix::new(self.values, 1, self.values.len()).any() {
            Any::F32(matrix) => Values::F32(matrix.row(0)),
            Any::Bf16(matrix) => Values::Bf16(matrix.row(0)),
            Any::F16(matrix) => Values::F16(matrix.row(0)),
        };
        View {
            values,
            shape: self.shape,
            strides: self.strides,
        }
    }
}

/// Numbers of any of the types.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
    F16(&'a [f16]),
}

/// [`Heads`] of any of the types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) values: Values<'a>,
    pub(crate) shape: [usize; 4],
    pub(crate) strides: [usize; 3],
}

impl View<'_> {
    /// The place of the first feature.
    #[inline(always)]
    pub(crate) fn place(&self, batch: usize, head: usize, token: usize) -> usize {
        batch * self.strides[0] + head * self.strides[1] + token * self.strides[2]
    }

    /// Between the tokens of a head.
    pub(crate) fn stride(&self) -> usize {
        self.strides[2]
    }
}
