//! Keys and values written into a cache on the CPU.

use std::ops::Range;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor, bf16, f16};

use super::{Numbers, Values};

/// Writes `[batch, kv_heads, token, head_dim]` into `all`, `[row, kv_heads, capacity, head_dim]`: of batch row `n` as many
/// tokens as `slots[n]` has slots, into these slots of row `first + n`. False, and nothing is done, where they are not
/// the CPU's, or of types that have no kernels.
pub(crate) fn write_tokens(
    all: &mut Tensor<4>,
    new: &Tensor<4>,
    first: usize,
    slots: &[Range<usize>],
) -> bool {
    if !is_known(all.dtype()) {
        return false;
    }
    let [_, heads, capacity, features] = all.dims();
    let [_, _, tokens, _] = new.dims();
    let Some(values) = Values::of(new.clone()) else {
        return false;
    };
    let Some(numbers) = values.numbers() else {
        return false;
    };
    let runs = slots.iter().enumerate().flat_map(|(row, slots)| {
        (0..heads).map(move |head| {
            let source = (row * heads + head) * tokens * features;
            let target = (((first + row) * heads + head) * capacity + slots.start) * features;
            (source, target, slots.len() * features)
        })
    });
    in_place(all, |all| match all.dtype() {
        DType::F32 => write(all.storage_mut::<f32>(), numbers, runs, |x| x),
        DType::BF16 => write(all.storage_mut::<bf16>(), numbers, runs, bf16::from_f32),
        _ => write(all.storage_mut::<f16>(), numbers, runs, f16::from_f32),
    })
}

/// Copies the first `tokens` of row `from` of `all`, `[row, kv_heads, capacity, head_dim]`, to row `to`. False, and
/// nothing is done, where they are not the CPU's, or of types that have no kernels.
pub(crate) fn copy_tokens(all: &mut Tensor<4>, from: usize, to: usize, tokens: usize) -> bool {
    if !is_known(all.dtype()) {
        return false;
    }
    let [_, heads, capacity, features] = all.dims();
    let runs = (0..heads).map(|head| {
        let start = |row: usize| (row * heads + head) * capacity * features;
        (start(from), start(to), tokens * features)
    });
    in_place(all, |all| match all.dtype() {
        DType::F32 => copy(all.storage_mut::<f32>(), runs),
        DType::BF16 => copy(all.storage_mut::<bf16>(), runs),
        _ => copy(all.storage_mut::<f16>(), runs),
    })
}

fn is_known(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::BF16 | DType::F16)
}

/// Where numbers are read, where they are written, and how many.
type Run = (usize, usize, usize);

/// Changes the numbers of `all` where they lie.
fn in_place(all: &mut Tensor<4>, change: impl FnOnce(&mut FlexTensor)) -> bool {
    if !super::is_cpu(&all.device()) || all.is_autodiff() {
        return false;
    }
    all.inplace(|all| {
        let mut primitive = all.try_into_primitive::<Flex>().expect("a plain tensor");
        debug_assert!(primitive.is_contiguous() && primitive.is_unique());
        change(&mut primitive);
        Tensor::from_primitive::<Flex>(primitive)
    });
    true
}

fn write<E: Copy>(
    all: &mut [E],
    numbers: Numbers<'_>,
    runs: impl Iterator<Item = Run>,
    round: impl Fn(f32) -> E,
) {
    for (source, target, count) in runs {
        let (from, to) = (source..source + count, &mut all[target..target + count]);
        match numbers {
            Numbers::F32(values) => fill(to, &values[from], &round),
            Numbers::Bf16(values) => fill(to, &values[from], |x| round(x.to_f32())),
            Numbers::F16(values) => fill(to, &values[from], |x| round(x.to_f32())),
        }
    }
}

fn fill<A: Copy, B>(to: &mut [B], from: &[A], round: impl Fn(A) -> B) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = round(from);
    }
}

fn copy<E: Copy>(all: &mut [E], runs: impl Iterator<Item = Run>) {
    for (source, target, count) in runs {
        all.copy_within(source..source + count, target);
    }
}
