//! Rows of activations as the products read them.

use crate::format::BLOCK;
use crate::isa::{Kernel, Pairs, Quads};
use crate::matrix::{Element, Matrix};

/// The bits of the nearest bf16, the even one of two; NaN stays NaN. Without branches, so that a loop
/// over it becomes vector instructions.
#[inline(always)]
pub(crate) fn bf16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let quiet = bits >> 16 | 0x40;
    let bits = if bits & 0x7fff_ffff > 0x7f80_0000 {
        quiet
    } else {
        rounded
    };
    (bits & 0xffff) as u16
}

/// Rows in bf16, in pairs of columns; the last pair of a row may be filled up with a zero.
pub(crate) struct RoundRows<'a, 'b, E, P> {
    pub(crate) x: Matrix<'a, E>,
    pub(crate) first: usize,
    /// Whole rows.
    pub(crate) out: &'b mut [P],
}

impl<I: Pairs, E: Element> Kernel<I> for RoundRows<'_, '_, E, I::Pair> {
    #[inline(always)]
    fn run(self, isa: I) {
        let steps = self.x.columns().div_ceil(2);
        let count = self.out.len() / steps;
        if self.x.has_rows() {
            for (number, out) in self.out.chunks_exact_mut(steps).enumerate() {
                let (pairs, rest) = self.x.row(self.first + number).as_chunks::<2>();
                for (out, pair) in out.iter_mut().zip(pairs) {
                    *out = isa.pair([bf16_bits(pair[0].to_f32()), bf16_bits(pair[1].to_f32())]);
                }
                if let ([last], Some(out)) = (rest, out.last_mut()) {
                    *out = isa.pair([bf16_bits(last.to_f32()), 0]);
                }
            }
            return;
        }
        // Columns lie in one piece: two at a time, over all rows.
        let x = self.x.transposed();
        for step in 0..steps {
            let first = &x.row(2 * step)[self.first..][..count];
            let second = (2 * step + 1 < x.rows()).then(|| &x.row(2 * step + 1)[self.first..]);
            for row in 0..count {
                let second = second.map_or(0, |second| bf16_bits(second[row].to_f32()));
                self.out[row * steps + step] = isa.pair([bf16_bits(first[row].to_f32()), second]);
            }
        }
    }
}

/// Rounds to the nearest integer, the even one of two, if that is below 2²² in magnitude: there, f32 of
/// that size have no fraction.
#[inline(always)]
pub(crate) fn nearest(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT).to_bits().cast_signed() - SHIFT.to_bits().cast_signed()
}

/// 32 numbers as bytes and their scale: `x ≈ scale · byte`.
///
/// The scale is the largest magnitude / 127. It is 0 if that underflows, and NaN if any of the numbers
/// is a NaN or infinite; the bytes are 0 then.
#[inline(always)]
pub(crate) fn quantise_block(values: &[f32; BLOCK]) -> (f32, [i8; BLOCK]) {
    let mut largest = 0;
    for value in values {
        largest = largest.max(value.to_bits() & 0x7fff_ffff);
    }
    let largest = f32::from_bits(largest);
    if !largest.is_finite() {
        return (f32::NAN, [0; BLOCK]);
    }
    let inverse = 127.0 / largest;
    if !inverse.is_finite() {
        return (0.0, [0; BLOCK]);
    }
    let mut bytes = [0; BLOCK];
    for (byte, value) in bytes.iter_mut().zip(values) {
        // At most 127: the largest of them times `inverse` is within two roundings of it.
        #[allow(clippy::cast_possible_truncation)]
        {
            *byte = nearest(value * inverse) as i8;
        }
    }
    (largest / 127.0, bytes)
}

/// One row in blocks of 32 bytes, the last filled up with zeros.
pub(crate) struct QuantiseRow<'a, 'b, E, Q> {
    pub(crate) x: &'a [E],
    /// Eight a block.
    pub(crate) quads: &'b mut [Q],
    /// One a block.
    pub(crate) scales: &'b mut [f32],
    /// The block's bytes summed in [`Blocks::SUMS`](crate::format::Blocks::SUMS) parts, each times `factor`.
    pub(crate) sums: &'b mut [i32],
    pub(crate) factor: i32,
}

impl<I: Quads, E: Element> Kernel<I> for QuantiseRow<'_, '_, E, I::Quad> {
    #[inline(always)]
    fn run(self, isa: I) {
        let blocks = self.scales.len();
        if blocks == 0 {
            return;
        }
        let parts = self.sums.len() / blocks;
        for block in 0..blocks {
            let from = &self.x[block * BLOCK..];
            let mut values = [0.0; BLOCK];
            for (value, x) in values.iter_mut().zip(from) {
                *value = x.to_f32();
            }
            let (scale, bytes) = quantise_block(&values);
            self.scales[block] = scale;
            let quads = &mut self.quads[block * BLOCK / 4..][..BLOCK / 4];
            for (quad, bytes) in quads.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *quad = isa.quad(*bytes);
            }
            let sums = &mut self.sums[block * parts..][..parts];
            for (sum, bytes) in sums.iter_mut().zip(bytes.chunks_exact(BLOCK / parts)) {
                *sum = self.factor * bytes.iter().map(|byte| i32::from(*byte)).sum::<i32>();
            }
        }
    }
}
