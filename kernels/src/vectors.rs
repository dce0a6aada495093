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
    load_or(isa, numbers, at, 0.0)
}

/// The numbers from `at` on, and `filler` past the end.
#[inline(always)]
pub(crate) fn load_or<I: Floats>(isa: I, numbers: &[f32], at: usize, filler: f32) -> I::F32 {
    let rest = &numbers[at..];
    match rest.first_chunk::<LANES>() {
        Some(all) => isa.load(all),
        None => isa.load(&filled(rest, filler)),
    }
}

// The last vector of a row has functions of its own: within a loop, the compiler turns their copies of any length
// into much that slows the others down.

#[cold]
#[inline(never)]
fn filled(rest: &[f32], filler: f32) -> [f32; LANES] {
    let mut lanes = [filler; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

#[cold]
#[inline(never)]
fn cut(rest: &mut [f32], lanes: &[f32; LANES]) {
    rest.copy_from_slice(&lanes[..rest.len()]);
}

/// Writes the numbers from `at` on, as many as there are.
#[inline(always)]
pub(crate) fn store<I: Floats>(isa: I, numbers: &mut [f32], at: usize, values: I::F32) {
    let rest = &mut numbers[at..];
    let lanes = isa.store(values);
    if let Some(all) = rest.first_chunk_mut::<LANES>() {
        *all = lanes;
    } else {
        cut(rest, &lanes);
    }
}

/// The sum of the terms at all places, as an f32; each is zero past the end. Four sums run beside each other.
///
/// A macro, since a closure may not be compiled into its caller, and has not the caller's instructions then.
macro_rules! total {
    ($isa:expr, $count:expr, $at:ident => $term:expr) => {{
        let (isa, count) = ($isa, $count);
        let mut sums = [isa.splat(0.0); 4];
        let mut $at = 0;
        while $at + 4 * $crate::isa::LANES <= count {
            for sum in &mut sums {
                *sum = isa.add(*sum, $term);
                $at += $crate::isa::LANES;
            }
        }
        while $at < count {
            sums[0] = isa.add(sums[0], $term);
            $at += $crate::isa::LANES;
        }
        let [a, b, c, d] = sums;
        isa.sum(isa.add(isa.add(a, b), isa.add(c, d)))
    }};
}
pub(crate) use total;
