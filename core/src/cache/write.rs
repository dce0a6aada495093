//! Keys and values written where they belong, without a copy of the rest.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData};

use crate::native;

/// Where the tokens of a pass go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The first of its rows.
    pub first: usize,
    /// The slots of each of its rows.
    pub slots: &'a [Range<usize>],
}

impl Place<'_> {
    /// Writes `[batch, kv_heads, token, head_dim]` into `all`, `[row, kv_heads, capacity, head_dim]`, in its type.
    pub(super) fn write(&self, all: &mut Tensor<4>, new: Tensor<4>) {
        if native::write_tokens(all, &new, self.first, self.slots) {
            return;
        }
        let new = if new.dtype() == all.dtype() {
            new
        } else {
            new.cast(all.dtype())
        };
        let [_, heads, tokens, head_dim] = new.dims();
        let mut row = 0;
        for alike in self.slots.chunk_by(|a, b| a == b) {
            let (rows, slots) = (row..row + alike.len(), alike[0].clone());
            row = rows.end;
            if slots.is_empty() {
                continue;
            }
            let mut own = new.clone();
            if rows.len() < self.slots.len() {
                own = own.narrow(0, rows.start, rows.len());
            }
            if slots.len() < tokens {
                own = own.narrow(2, 0, slots.len());
            }
            let rows = self.first + rows.start..self.first + rows.end;
            let place = [rows, 0..heads, slots, 0..head_dim];
            all.inplace(|all| all.slice_assign(place, own));
        }
    }
}

/// Copies the first `tokens` of row `from` of `all`, `[row, kv_heads, capacity, head_dim]`, to row `to`.
pub(super) fn copy(all: &mut Tensor<4>, from: usize, to: usize, tokens: usize) {
    if from == to || tokens == 0 || native::copy_tokens(all, from, to, tokens) {
        return;
    }
    let [_, heads, _, head_dim] = all.dims();
    let row: Tensor<1, Int> = Tensor::from_data(
        TensorData::new(vec![i32::try_from(from).expect("few rows")], [1]),
        &all.device(),
    );
    // Chosen, and not cut out: a view of the cache would have all of it copied by the write.
    let own = all.clone().select(0, row).narrow(2, 0, tokens);
    let place = [to..to + 1, 0..heads, 0..tokens, 0..head_dim];
    all.inplace(|all| all.slice_assign(place, own));
}
