//! Slices as vectors of 16 numbers, the last of which may be filled up.

use crate::isa::{Floats, LANES};

/// What one number of an operation that memory limits costs, in multiply-adds of a product.
pub(crate) const COST: usize = 16;

/// The places at which vectors begin.
#[inline(always)]
pub(crate) fn places(count: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(LANES)
}

/// The numbers from `at` on, and zeros past the end.
#[inline(always)]
pub(crate) fn load<I: Floats>(isa: I, numbers: &[f32], at: usize) -> I::F32 {
    let rest = &numbers[at..];
    if let Some(all) = rest.first_chunk::<LANES>() {
        return isa.load(all);
    }
    let mut lanes = [0.0; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    isa.load(&lanes)
}

/// Writes the numbers from `at` on, as many as there are.
#[inline(always)]
pub(crate) fn store<I: Floats>(isa: I, numbers: &mut [f32], at: usize, values: I::F32) {
    let rest = &mut numbers[at..];
    let lanes = isa.store(values);
    if let Some(all) = rest.first_chunk_mut::<LANES>() {
        *all = lanes;
    } else {
        rest.copy_from_slice(&lanes[..rest.len()]);
    }
}

/// The sum of the terms at all places; each is zero past the end. Four sums run beside each other.
#[inline(always)]
pub(crate) fn total<I: Floats>(isa: I, count: usize, mut term: impl FnMut(usize) -> I::F32) -> f32 {
    let mut sums = [isa.splat(0.0); 4];
    let mut at = 0;
    while at + 4 * LANES <= count {
        for sum in &mut sums {
            *sum = isa.add(*sum, term(at));
            at += LANES;
        }
    }
    while at < count {
        sums[0] = isa.add(sums[0], term(at));
        at += LANES;
    }
    let [a, b, c, d] = sums;
    isa.sum(isa.add(isa.add(a, b), isa.add(c, d)))
}
