//! AVX-512: 16 lanes are one register.

// A module of intrinsics is made to be imported whole.
#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;

use super::avx2::words;
use super::{Floats, Kernel, LANES, Lanes, Pairs, Quads};
use crate::level::Level;
use crate::line::Line;

// SAFETY of all blocks below: `new` has found the instructions before it made `self`; pointers come from
// references to arrays of the width that is read or written.

macro_rules! lanes {
    ($(#[$doc:meta])* $name:ident, $level:expr, $features:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name(());

        impl $name {
            pub(crate) fn new() -> Option<Self> {
                $level.is_available().then_some(Self(()))
            }
        }

        impl Lanes for $name {
            type F32 = __m512;

            #[inline(always)]
            fn enter<K: Kernel<Self>>(self, kernel: K) {
                /// # Safety
                /// The processor has these instructions.
                #[target_feature(enable = $features)]
                unsafe fn switched_on<K: Kernel<$name>>(isa: $name, kernel: K) {
                    kernel.run(isa);
                }
                // SAFETY: see above.
                unsafe { switched_on(self, kernel) }
            }
            #[inline(always)]
            fn splat(self, value: f32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_set1_ps(value) }
            }
            #[inline(always)]
            fn load(self, values: &[f32; LANES]) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_loadu_ps(values.as_ptr()) }
            }
            #[inline(always)]
            fn store(self, values: Self::F32) -> [f32; LANES] {
                let mut out = [0.0; LANES];
                // SAFETY: see above.
                unsafe { _mm512_storeu_ps(out.as_mut_ptr(), values) };
                out
            }
            #[inline(always)]
            fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_add_ps(a, b) }
            }
            #[inline(always)]
            fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_sub_ps(a, b) }
            }
            #[inline(always)]
            fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_mul_ps(a, b) }
            }
        }
    };
}

lanes!(
    /// A processor with the instructions of [`Level::Avx512`].
    Avx512,
    Level::Avx512,
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"
);
lanes!(
    /// A processor with the instructions of [`Level::Avx512Vnni`].
    Vnni,
    Level::Avx512Vnni,
    "avx512vnni,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"
);
lanes!(
    /// A processor with the instructions of [`Level::Avx512Bf16`].
    Bf16,
    Level::Avx512Bf16,
    "avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"
);

macro_rules! floats {
    ($name:ident) => {
        impl Floats for $name {
            const TILE: (usize, usize) = (6, 4);

            #[inline(always)]
            fn fma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_fmadd_ps(a, b, c) }
            }
            #[inline(always)]
            fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_div_ps(a, b) }
            }
            #[inline(always)]
            fn sqrt(self, x: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_sqrt_ps(x) }
            }
            #[inline(always)]
            fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_max_ps(a, b) }
            }
            #[inline(always)]
            fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_min_ps(a, b) }
            }
            #[inline(always)]
            fn less(
                self,
                a: Self::F32,
                b: Self::F32,
                then: Self::F32,
                otherwise: Self::F32,
            ) -> Self::F32 {
                // SAFETY: see above.
                unsafe {
                    let less = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
                    _mm512_mask_blend_ps(less, otherwise, then)
                }
            }
            #[inline(always)]
            fn abs(self, x: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_abs_ps(x) }
            }
            #[inline(always)]
            fn with_sign(self, magnitude: Self::F32, sign: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe {
                    let mask = _mm512_set1_ps(-0.0);
                    let unsigned = _mm512_andnot_ps(mask, magnitude);
                    _mm512_or_ps(unsigned, _mm512_and_ps(mask, sign))
                }
            }
            #[inline(always)]
            fn scale(self, x: Self::F32, power: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_scalef_ps(x, power) }
            }
        }
    };
}

floats!(Avx512);
floats!(Vnni);
floats!(Bf16);

#[inline(always)]
unsafe fn load(line: &Line) -> __m512i {
    // SAFETY: a line is 64 bytes, aligned to 64. Called by the methods of tokens only.
    unsafe { _mm512_load_si512(line.0.as_ptr().cast()) }
}

impl Pairs for Avx512 {
    type Pair = [f32; 2];
    /// First column, second column.
    type Weights = [__m512; 2];
    const TILE: (usize, usize) = (6, 2);

    #[inline(always)]
    fn pair(self, bits: [u16; 2]) -> Self::Pair {
        bits.map(|bits| f32::from_bits(u32::from(bits) << 16))
    }
    #[inline(always)]
    fn weights(self, line: &Line) -> Self::Weights {
        // SAFETY: see above. A bf16 is the upper half of an f32.
        unsafe {
            let both = load(line);
            let upper = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
            [
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(both)),
                _mm512_castsi512_ps(_mm512_and_si512(both, upper)),
            ]
        }
    }
    #[inline(always)]
    fn pairs(self, sum: Self::F32, weights: Self::Weights, pair: Self::Pair) -> Self::F32 {
        // SAFETY: see above.
        unsafe {
            let sum = _mm512_fmadd_ps(weights[0], _mm512_set1_ps(pair[0]), sum);
            _mm512_fmadd_ps(weights[1], _mm512_set1_ps(pair[1]), sum)
        }
    }
}

impl Pairs for Bf16 {
    type Pair = u32;
    type Weights = __m512i;
    const TILE: (usize, usize) = (6, 4);

    #[inline(always)]
    fn pair(self, bits: [u16; 2]) -> Self::Pair {
        u32::from(bits[0]) | u32::from(bits[1]) << 16
    }
    #[inline(always)]
    fn weights(self, line: &Line) -> Self::Weights {
        // SAFETY: see above.
        unsafe { load(line) }
    }
    #[inline(always)]
    fn pairs(self, sum: Self::F32, weights: Self::Weights, pair: Self::Pair) -> Self::F32 {
        // SAFETY: see above; `__m512bh` is 32 bf16, of which every pattern of bits is one.
        unsafe {
            let pair: __m512bh = std::mem::transmute(_mm512_set1_epi32(pair.cast_signed()));
            let weights: __m512bh = std::mem::transmute(weights);
            _mm512_dpbf16_ps(sum, weights, pair)
        }
    }
}

macro_rules! quads {
    ($name:ident, tile: $tile:expr, quad: $quad:ty = $to_quad:expr, codes: $codes:ty = $to_codes:expr, product: $product:expr) => {
        impl Quads for $name {
            type I32 = __m512i;
            type Bytes = __m512i;
            type Codes = $codes;
            type Quad = $quad;
            const TILE: (usize, usize) = $tile;

            #[inline(always)]
            fn quad(self, values: [i8; 4]) -> Self::Quad {
                $to_quad(values)
            }
            #[inline(always)]
            fn bytes(self, line: &Line) -> Self::Bytes {
                // SAFETY: see above.
                unsafe { load(line) }
            }
            #[inline(always)]
            fn low(self, bytes: Self::Bytes) -> Self::Bytes {
                // SAFETY: see above.
                unsafe { _mm512_and_si512(bytes, _mm512_set1_epi8(15)) }
            }
            #[inline(always)]
            fn high(self, bytes: Self::Bytes) -> Self::Bytes {
                // SAFETY: see above.
                self.low(unsafe { _mm512_srli_epi16::<4>(bytes) })
            }
            #[inline(always)]
            fn crumbs(self, bytes: Self::Bytes, at: usize) -> Self::Bytes {
                // SAFETY: see above.
                unsafe {
                    let moved = match at {
                        0 => _mm512_slli_epi16::<4>(bytes),
                        1 => _mm512_slli_epi16::<2>(bytes),
                        2 => bytes,
                        _ => _mm512_srli_epi16::<2>(bytes),
                    };
                    _mm512_and_si512(moved, _mm512_set1_epi8(0x30))
                }
            }
            #[inline(always)]
            fn or(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
                // SAFETY: see above.
                unsafe { _mm512_or_si512(a, b) }
            }
            #[inline(always)]
            fn codes(self, bytes: Self::Bytes) -> Self::Codes {
                // SAFETY: see above.
                unsafe { $to_codes(bytes) }
            }
            #[inline(always)]
            fn splat_i32(self, value: i32) -> Self::I32 {
                // SAFETY: see above.
                unsafe { _mm512_set1_epi32(value) }
            }
            #[inline(always)]
            fn quads(self, sum: Self::I32, codes: Self::Codes, quad: Self::Quad) -> Self::I32 {
                // SAFETY: see above.
                unsafe { $product(sum, codes, quad) }
            }
            #[inline(always)]
            fn to_f32(self, sums: Self::I32) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_cvtepi32_ps(sums) }
            }
            #[inline(always)]
            fn halves(self, bits: &[u16; LANES]) -> Self::F32 {
                // SAFETY: see above.
                unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(bits.as_ptr().cast())) }
            }
            #[inline(always)]
            fn unsigned(self, bytes: &[u8; LANES]) -> Self::F32 {
                // SAFETY: see above.
                self.to_f32(unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.as_ptr().cast())) })
            }
            #[inline(always)]
            fn signed(self, bytes: &[i8; LANES]) -> Self::F32 {
                // SAFETY: see above.
                self.to_f32(unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(bytes.as_ptr().cast())) })
            }
        }
    };
}

/// Columns 0 and 2 as u16, then columns 1 and 3.
#[inline(always)]
unsafe fn split(bytes: __m512i) -> [__m512i; 2] {
    // SAFETY: called by the methods of tokens only.
    unsafe {
        [
            _mm512_and_si512(bytes, _mm512_set1_epi16(0xff)),
            _mm512_srli_epi16::<8>(bytes),
        ]
    }
}

/// The instruction takes bytes as they are.
#[inline(always)]
unsafe fn keep(bytes: __m512i) -> __m512i {
    bytes
}

#[inline(always)]
unsafe fn words_product(sum: __m512i, codes: [__m512i; 2], quad: [u32; 2]) -> __m512i {
    // SAFETY: called by the methods of tokens only.
    unsafe {
        let even = _mm512_madd_epi16(codes[0], _mm512_set1_epi32(quad[0].cast_signed()));
        let odd = _mm512_madd_epi16(codes[1], _mm512_set1_epi32(quad[1].cast_signed()));
        _mm512_add_epi32(sum, _mm512_add_epi32(even, odd))
    }
}

#[inline(always)]
unsafe fn bytes_product(sum: __m512i, codes: __m512i, quad: u32) -> __m512i {
    // SAFETY: called by the methods of tokens only.
    unsafe { _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(quad.cast_signed())) }
}

quads!(
    Avx512,
    tile: (4, 2),
    quad: [u32; 2] = words,
    codes: [__m512i; 2] = split,
    product: words_product
);
quads!(
    Vnni,
    tile: (6, 2),
    quad: u32 = |values: [i8; 4]| u32::from_le_bytes(values.map(i8::cast_unsigned)),
    codes: __m512i = keep,
    product: bytes_product
);
