//! AVX2, with FMA and F16C: 16 lanes are two registers.

// A module of intrinsics is made to be imported whole.
#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;

use super::{Floats, Kernel, LANES, Lanes, Pairs, Quads};
use crate::level::Level;
use crate::line::Line;

/// A processor with the instructions of [`Level::Avx2`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn new() -> Option<Self> {
        Level::Avx2.is_available().then_some(Self(()))
    }
}

/// # Safety
/// The processor has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn switched_on<K: Kernel<Avx2>>(isa: Avx2, kernel: K) {
    kernel.run(isa);
}

// SAFETY of all blocks below: `Avx2::new` has found the instructions before it made `self`; pointers
// come from references to arrays of the width that is read or written.
impl Lanes for Avx2 {
    type F32 = [__m256; 2];

    #[inline(always)]
    fn enter<K: Kernel<Self>>(self, kernel: K) {
        // SAFETY: see above.
        unsafe { switched_on(self, kernel) }
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::F32 {
        // SAFETY: see above.
        unsafe { [_mm256_set1_ps(value); 2] }
    }
    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> Self::F32 {
        let at = values.as_ptr();
        // SAFETY: see above.
        unsafe { [_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))] }
    }
    #[inline(always)]
    fn store(self, values: Self::F32) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        let at = out.as_mut_ptr();
        // SAFETY: see above.
        unsafe {
            _mm256_storeu_ps(at, values[0]);
            _mm256_storeu_ps(at.add(8), values[1]);
        }
        out
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        // SAFETY: see above.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        // SAFETY: see above.
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        // SAFETY: see above.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }
}

impl Floats for Avx2 {
    const TILE: (usize, usize) = (6, 1);

    #[inline(always)]
    fn fma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        // SAFETY: see above.
        unsafe {
            [
                _mm256_fmadd_ps(a[0], b[0], c[0]),
                _mm256_fmadd_ps(a[1], b[1], c[1]),
            ]
        }
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        // SAFETY: see above.
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn sqrt(self, x: Self::F32) -> Self::F32 {
        // SAFETY: see above.
        unsafe { [_mm256_sqrt_ps(x[0]), _mm256_sqrt_ps(x[1])] }
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        // SAFETY: see above.
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        // SAFETY: see above.
        unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn less(self, a: Self::F32, b: Self::F32, then: Self::F32, otherwise: Self::F32) -> Self::F32 {
        let mut out = otherwise;
        for half in 0..2 {
            // SAFETY: see above.
            unsafe {
                let less = _mm256_cmp_ps::<_CMP_LT_OQ>(a[half], b[half]);
                out[half] = _mm256_blendv_ps(otherwise[half], then[half], less);
            }
        }
        out
    }
    #[inline(always)]
    fn abs(self, x: Self::F32) -> Self::F32 {
        // SAFETY: see above.
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            [_mm256_andnot_ps(sign, x[0]), _mm256_andnot_ps(sign, x[1])]
        }
    }
    #[inline(always)]
    fn with_sign(self, magnitude: Self::F32, sign: Self::F32) -> Self::F32 {
        let mut out = magnitude;
        for half in 0..2 {
            // SAFETY: see above.
            unsafe {
                let mask = _mm256_set1_ps(-0.0);
                let unsigned = _mm256_andnot_ps(mask, magnitude[half]);
                out[half] = _mm256_or_ps(unsigned, _mm256_and_ps(mask, sign[half]));
            }
        }
        out
    }
    #[inline(always)]
    fn scale(self, x: Self::F32, power: Self::F32) -> Self::F32 {
        let mut out = x;
        for (out, power) in out.iter_mut().zip(power) {
            // SAFETY: see above. Each factor has an exponent of its own; the first product is exact.
            unsafe {
                let power = _mm256_cvtps_epi32(power);
                let half = _mm256_srai_epi32::<1>(power);
                for power in [half, _mm256_sub_epi32(power, half)] {
                    let exponent = _mm256_add_epi32(power, _mm256_set1_epi32(127));
                    let factor = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent));
                    *out = _mm256_mul_ps(*out, factor);
                }
            }
        }
        out
    }
}

impl Pairs for Avx2 {
    type Pair = [f32; 2];
    /// First column, second column.
    type Weights = [[__m256; 2]; 2];
    const TILE: (usize, usize) = (4, 1);

    #[inline(always)]
    fn pair(self, bits: [u16; 2]) -> Self::Pair {
        bits.map(|bits| f32::from_bits(u32::from(bits) << 16))
    }
    #[inline(always)]
    fn weights(self, line: &Line) -> Self::Weights {
        let [a, b] = self.bytes(line);
        // SAFETY: see above. A bf16 is the upper half of an f32.
        unsafe {
            let upper = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
            let first = |x| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(x));
            let second = |x| _mm256_castsi256_ps(_mm256_and_si256(x, upper));
            [[first(a), first(b)], [second(a), second(b)]]
        }
    }
    #[inline(always)]
    fn pairs(self, sum: Self::F32, weights: Self::Weights, pair: Self::Pair) -> Self::F32 {
        let mut out = sum;
        for column in 0..2 {
            for half in 0..2 {
                // SAFETY: see above.
                unsafe {
                    let value = _mm256_set1_ps(pair[column]);
                    out[half] = _mm256_fmadd_ps(weights[column][half], value, out[half]);
                }
            }
        }
        out
    }
}

impl Quads for Avx2 {
    type I32 = [__m256i; 2];
    type Bytes = [__m256i; 2];
    /// Columns 0 and 2 as u16, then columns 1 and 3. AVX2's own product of bytes, `vpmaddubsw`, clips its
    /// sums to i16: 255 · 127 · 2 is past that. The product of words has no such trap.
    type Codes = [[__m256i; 2]; 2];
    /// Columns 0 and 2 as i16, then columns 1 and 3.
    type Quad = [u32; 2];
    const TILE: (usize, usize) = (2, 1);

    #[inline(always)]
    fn quad(self, values: [i8; 4]) -> Self::Quad {
        words(values)
    }
    #[inline(always)]
    fn bytes(self, line: &Line) -> Self::Bytes {
        let at = std::ptr::from_ref(line).cast::<__m256i>();
        // SAFETY: see above; a line is aligned to 64 bytes.
        unsafe { [_mm256_load_si256(at), _mm256_load_si256(at.add(1))] }
    }
    #[inline(always)]
    fn low(self, bytes: Self::Bytes) -> Self::Bytes {
        // SAFETY: see above.
        unsafe {
            let mask = _mm256_set1_epi8(15);
            [
                _mm256_and_si256(bytes[0], mask),
                _mm256_and_si256(bytes[1], mask),
            ]
        }
    }
    #[inline(always)]
    fn high(self, bytes: Self::Bytes) -> Self::Bytes {
        // SAFETY: see above.
        self.low(unsafe {
            [
                _mm256_srli_epi16::<4>(bytes[0]),
                _mm256_srli_epi16::<4>(bytes[1]),
            ]
        })
    }
    #[inline(always)]
    fn crumbs(self, bytes: Self::Bytes, at: usize) -> Self::Bytes {
        let mut out = bytes;
        for half in &mut out {
            // SAFETY: see above.
            unsafe {
                let moved = match at {
                    0 => _mm256_slli_epi16::<4>(*half),
                    1 => _mm256_slli_epi16::<2>(*half),
                    2 => *half,
                    _ => _mm256_srli_epi16::<2>(*half),
                };
                *half = _mm256_and_si256(moved, _mm256_set1_epi8(0x30));
            }
        }
        out
    }
    #[inline(always)]
    fn or(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        // SAFETY: see above.
        unsafe { [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])] }
    }
    #[inline(always)]
    fn codes(self, bytes: Self::Bytes) -> Self::Codes {
        // SAFETY: see above.
        unsafe {
            let even = _mm256_set1_epi16(0xff);
            [
                [
                    _mm256_and_si256(bytes[0], even),
                    _mm256_and_si256(bytes[1], even),
                ],
                [
                    _mm256_srli_epi16::<8>(bytes[0]),
                    _mm256_srli_epi16::<8>(bytes[1]),
                ],
            ]
        }
    }
    #[inline(always)]
    fn splat_i32(self, value: i32) -> Self::I32 {
        // SAFETY: see above.
        unsafe { [_mm256_set1_epi32(value); 2] }
    }
    #[inline(always)]
    fn quads(self, sum: Self::I32, codes: Self::Codes, quad: Self::Quad) -> Self::I32 {
        let mut out = sum;
        for (codes, quad) in codes.iter().zip(quad) {
            for half in 0..2 {
                // SAFETY: see above.
                unsafe {
                    let value = _mm256_set1_epi32(quad.cast_signed());
                    let product = _mm256_madd_epi16(codes[half], value);
                    out[half] = _mm256_add_epi32(out[half], product);
                }
            }
        }
        out
    }
    #[inline(always)]
    fn to_f32(self, sums: Self::I32) -> Self::F32 {
        // SAFETY: see above.
        unsafe { [_mm256_cvtepi32_ps(sums[0]), _mm256_cvtepi32_ps(sums[1])] }
    }
    #[inline(always)]
    fn halves(self, bits: &[u16; LANES]) -> Self::F32 {
        let (first, second) = bits.split_at(LANES / 2);
        // SAFETY: see above.
        unsafe {
            [
                _mm256_cvtph_ps(_mm_loadu_si128(first.as_ptr().cast())),
                _mm256_cvtph_ps(_mm_loadu_si128(second.as_ptr().cast())),
            ]
        }
    }
    #[inline(always)]
    fn unsigned(self, bytes: &[u8; LANES]) -> Self::F32 {
        // SAFETY: see above.
        self.to_f32(unsafe {
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
            [
                _mm256_cvtepu8_epi32(bytes),
                _mm256_cvtepu8_epi32(_mm_srli_si128::<8>(bytes)),
            ]
        })
    }
    #[inline(always)]
    fn signed(self, bytes: &[i8; LANES]) -> Self::F32 {
        // SAFETY: see above.
        self.to_f32(unsafe {
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
            [
                _mm256_cvtepi8_epi32(bytes),
                _mm256_cvtepi8_epi32(_mm_srli_si128::<8>(bytes)),
            ]
        })
    }
}

/// Columns 0 and 2, then columns 1 and 3, as i16.
#[inline(always)]
pub(super) fn words(values: [i8; 4]) -> [u32; 2] {
    let word = |value: i8| u32::from(i16::from(value).cast_unsigned());
    let [a, b, c, d] = values.map(word);
    [a | c << 16, b | d << 16]
}
