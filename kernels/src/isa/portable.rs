//! Arrays and loops.

use half::f16;

use super::{Floats, Kernel, LANES, Lanes, Pairs, Quads};
use crate::line::Line;

/// Runs anywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn zip(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let mut out = a;
    for lane in 0..LANES {
        out[lane] = f(a[lane], b[lane]);
    }
    out
}

impl Lanes for Portable {
    type F32 = [f32; LANES];

    #[inline(always)]
    fn enter<K: Kernel<Self>>(self, kernel: K) {
        kernel.run(self);
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::F32 {
        [value; LANES]
    }
    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> Self::F32 {
        *values
    }
    #[inline(always)]
    fn store(self, values: Self::F32) -> [f32; LANES] {
        values
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a * b)
    }
}

impl Floats for Portable {
    const TILE: (usize, usize) = (2, 1);

    #[inline(always)]
    fn fma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        // `mul_add` would call a function for each number where the target has no such instruction.
        self.add(self.mul(a, b), c)
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn sqrt(self, x: Self::F32) -> Self::F32 {
        x.map(f32::sqrt)
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn less(self, a: Self::F32, b: Self::F32, then: Self::F32, otherwise: Self::F32) -> Self::F32 {
        let mut out = otherwise;
        for lane in 0..LANES {
            out[lane] = if a[lane] < b[lane] {
                then[lane]
            } else {
                otherwise[lane]
            };
        }
        out
    }
    #[inline(always)]
    fn abs(self, x: Self::F32) -> Self::F32 {
        x.map(f32::abs)
    }
    #[inline(always)]
    fn with_sign(self, magnitude: Self::F32, sign: Self::F32) -> Self::F32 {
        zip(magnitude, sign, f32::copysign)
    }
    #[inline(always)]
    fn scale(self, x: Self::F32, power: Self::F32) -> Self::F32 {
        // As in `round`: the sum's lower bits are the whole number. Each factor has an exponent of its own;
        // the first product is exact.
        const SHIFT: f32 = 12_582_912.0;
        zip(x, power, |x, power| {
            let power = (power + SHIFT).to_bits().cast_signed() - SHIFT.to_bits().cast_signed();
            let factor = |power: i32| f32::from_bits(((power + 127) << 23).cast_unsigned());
            let half = power >> 1;
            x * factor(half) * factor(power - half)
        })
    }
}

impl Pairs for Portable {
    type Pair = [f32; 2];
    type Weights = [[f32; LANES]; 2];
    const TILE: (usize, usize) = (2, 1);

    #[inline(always)]
    fn pair(self, bits: [u16; 2]) -> Self::Pair {
        bits.map(|bits| f32::from_bits(u32::from(bits) << 16))
    }
    #[inline(always)]
    fn weights(self, line: &Line) -> Self::Weights {
        let mut out = [[0.0; LANES]; 2];
        for (lane, bytes) in line.0.chunks_exact(4).enumerate() {
            let both = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            out[0][lane] = f32::from_bits(both << 16);
            out[1][lane] = f32::from_bits(both & 0xffff_0000);
        }
        out
    }
    #[inline(always)]
    fn pairs(self, sum: Self::F32, weights: Self::Weights, pair: Self::Pair) -> Self::F32 {
        let sum = self.add(sum, self.mul(weights[0], [pair[0]; LANES]));
        self.add(sum, self.mul(weights[1], [pair[1]; LANES]))
    }
}

impl Quads for Portable {
    type I32 = [i32; LANES];
    type Bytes = [u8; Line::BYTES];
    type Codes = [u8; Line::BYTES];
    type Quad = u32;
    const TILE: (usize, usize) = (2, 1);

    #[inline(always)]
    fn quad(self, values: [i8; 4]) -> Self::Quad {
        u32::from_le_bytes(values.map(i8::cast_unsigned))
    }
    #[inline(always)]
    fn bytes(self, line: &Line) -> Self::Bytes {
        line.0
    }
    #[inline(always)]
    fn low(self, bytes: Self::Bytes) -> Self::Bytes {
        bytes.map(|byte| byte & 15)
    }
    #[inline(always)]
    fn high(self, bytes: Self::Bytes) -> Self::Bytes {
        bytes.map(|byte| byte >> 4)
    }
    #[inline(always)]
    fn crumbs(self, bytes: Self::Bytes, at: usize) -> Self::Bytes {
        bytes.map(|byte| (byte >> (2 * at) & 3) << 4)
    }
    #[inline(always)]
    fn or(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        let mut out = a;
        for (out, b) in out.iter_mut().zip(b) {
            *out |= b;
        }
        out
    }
    #[inline(always)]
    fn codes(self, bytes: Self::Bytes) -> Self::Codes {
        bytes
    }
    #[inline(always)]
    fn splat_i32(self, value: i32) -> Self::I32 {
        [value; LANES]
    }
    #[inline(always)]
    fn quads(self, sum: Self::I32, codes: Self::Codes, quad: Self::Quad) -> Self::I32 {
        let quad = quad.to_le_bytes().map(|byte| i32::from(byte.cast_signed()));
        let mut out = sum;
        for (lane, codes) in codes.chunks_exact(4).enumerate() {
            for (code, value) in codes.iter().zip(quad) {
                out[lane] += i32::from(*code) * value;
            }
        }
        out
    }
    #[inline(always)]
    fn to_f32(self, sums: Self::I32) -> Self::F32 {
        sums.map(|sum| sum as f32)
    }
    #[inline(always)]
    fn halves(self, bits: &[u16; LANES]) -> Self::F32 {
        bits.map(|bits| f16::from_bits(bits).to_f32())
    }
    #[inline(always)]
    fn unsigned(self, bytes: &[u8; LANES]) -> Self::F32 {
        bytes.map(f32::from)
    }
    #[inline(always)]
    fn signed(self, bytes: &[i8; LANES]) -> Self::F32 {
        bytes.map(f32::from)
    }
}
