//! AVX-512: 16 lanes are one register.

// A module of intrinsics is made to be imported whole.
#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;

use super::{Doubles, Scores};
use crate::isa::LANES;
use crate::isa::avx512::{Avx512, Bf16};
use crate::line::Line;

// SAFETY of all blocks below: a token was made where its instructions were found; pointers come from
// references to arrays of the width that is read.

macro_rules! scores {
    ($name:ident) => {
        impl Scores for $name {
            #[inline(always)]
            fn nearest(self, x: Self::F32) -> Self::F32 {
                // SAFETY: see above.
                unsafe {
                    _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x)
                }
            }
            #[inline(always)]
            fn within(
                self,
                slot: u32,
                first: &[u32; LANES],
                past: &[u32; LANES],
                values: Self::F32,
                otherwise: Self::F32,
            ) -> Self::F32 {
                // SAFETY: see above.
                unsafe {
                    let slot = _mm512_set1_epi32(slot.cast_signed());
                    let first = _mm512_loadu_si512(first.as_ptr().cast());
                    let past = _mm512_loadu_si512(past.as_ptr().cast());
                    let begun = _mm512_cmple_epu32_mask(first, slot);
                    let inside = _mm512_mask_cmplt_epu32_mask(begun, slot, past);
                    _mm512_mask_mov_ps(otherwise, inside, values)
                }
            }
            #[inline(always)]
            fn equal(
                self,
                number: u32,
                numbers: &[u32; LANES],
                values: Self::F32,
                otherwise: Self::F32,
            ) -> Self::F32 {
                // SAFETY: see above.
                unsafe {
                    let number = _mm512_set1_epi32(number.cast_signed());
                    let numbers = _mm512_loadu_si512(numbers.as_ptr().cast());
                    let equal = _mm512_cmpeq_epi32_mask(number, numbers);
                    _mm512_mask_mov_ps(otherwise, equal, values)
                }
            }
            #[inline(always)]
            fn transpose(self, vectors: [Self::F32; LANES]) -> [Self::F32; LANES] {
                // SAFETY: see above.
                unsafe { transpose(vectors) }
            }
            #[inline(always)]
            fn sums(self, vectors: [Self::F32; LANES]) -> Self::F32 {
                // SAFETY: see above.
                unsafe { sums(vectors) }
            }
        }
    };
}

scores!(Avx512);
scores!(Bf16);

/// Neighbours of one, two, four and eight lanes change places, each in one step.
#[inline(always)]
unsafe fn transpose(from: [__m512; LANES]) -> [__m512; LANES] {
    let mut a = from;
    let mut b = from;
    // SAFETY: called by the methods of tokens only.
    unsafe {
        for i in (0..LANES).step_by(2) {
            b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
            b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
        }
        let lower =
            |x, y| _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)));
        let upper =
            |x, y| _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)));
        // Now each quarter of a register holds a column of four rows.
        for i in (0..LANES).step_by(4) {
            a[i] = lower(b[i], b[i + 2]);
            a[i + 1] = upper(b[i], b[i + 2]);
            a[i + 2] = lower(b[i + 1], b[i + 3]);
            a[i + 3] = upper(b[i + 1], b[i + 3]);
        }
        for i in 0..4 {
            b[i] = _mm512_shuffle_f32x4::<0x88>(a[i], a[i + 4]);
            b[i + 4] = _mm512_shuffle_f32x4::<0xdd>(a[i], a[i + 4]);
            b[i + 8] = _mm512_shuffle_f32x4::<0x88>(a[i + 8], a[i + 12]);
            b[i + 12] = _mm512_shuffle_f32x4::<0xdd>(a[i + 8], a[i + 12]);
        }
        for i in 0..8 {
            a[i] = _mm512_shuffle_f32x4::<0x88>(b[i], b[i + 8]);
            a[i + 8] = _mm512_shuffle_f32x4::<0xdd>(b[i], b[i + 8]);
        }
    }
    a
}

/// Half of the lanes of two vectors are added to the other half, and they become one; until there is one vector.
#[inline(always)]
unsafe fn sums(from: [__m512; LANES]) -> __m512 {
    // SAFETY: called by the methods of tokens only.
    unsafe {
        let mut a = from;
        for i in 0..8 {
            let (x, y) = (a[2 * i], a[2 * i + 1]);
            a[i] = _mm512_add_ps(_mm512_unpacklo_ps(x, y), _mm512_unpackhi_ps(x, y));
        }
        // Each quarter of a register holds two lanes of two vectors; then one of four.
        for i in 0..4 {
            let (x, y) = (_mm512_castps_pd(a[2 * i]), _mm512_castps_pd(a[2 * i + 1]));
            a[i] = _mm512_add_ps(
                _mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)),
            );
        }
        for half in [2, 1] {
            for i in 0..half {
                let (x, y) = (a[2 * i], a[2 * i + 1]);
                a[i] = _mm512_add_ps(
                    _mm512_shuffle_f32x4::<0x88>(x, y),
                    _mm512_shuffle_f32x4::<0xdd>(x, y),
                );
            }
        }
        a[0]
    }
}

/// 32 bf16, of which every pattern of bits is one.
#[inline(always)]
unsafe fn doubles(bits: __m512i) -> __m512bh {
    // SAFETY: both are 512 bits.
    unsafe { std::mem::transmute(bits) }
}

/// The bits of 32 bf16.
#[inline(always)]
unsafe fn bits(doubles: __m512bh) -> __m512i {
    // SAFETY: both are 512 bits.
    unsafe { std::mem::transmute(doubles) }
}

impl Doubles for Bf16 {
    #[inline(always)]
    fn double(self, first: Self::F32, second: Self::F32) -> Line {
        const ORDER: [u16; 2 * LANES] = [
            0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27,
            12, 28, 13, 29, 14, 30, 15, 31,
        ];
        let mut out = Line::ZERO;
        // SAFETY: see above; a line is aligned to 64 bytes.
        unsafe {
            let side_by_side = _mm512_cvtne2ps_pbh(second, first);
            let order = _mm512_loadu_si512(ORDER.as_ptr().cast());
            let mixed = _mm512_permutexvar_epi16(order, bits(side_by_side));
            _mm512_store_si512(out.0.as_mut_ptr().cast(), mixed);
        }
        out
    }
    #[inline(always)]
    fn dot(self, sum: Self::F32, a: &[u16; 2 * LANES], b: &[u16; 2 * LANES]) -> Self::F32 {
        // SAFETY: see above.
        unsafe {
            let a = doubles(_mm512_loadu_si512(a.as_ptr().cast()));
            let b = doubles(_mm512_loadu_si512(b.as_ptr().cast()));
            _mm512_dpbf16_ps(sum, a, b)
        }
    }
    #[inline(always)]
    fn interleave(self, first: &[u16; 2 * LANES], second: &[u16; 2 * LANES]) -> [Self::Weights; 2] {
        // SAFETY: see above.
        unsafe {
            let first = _mm512_loadu_si512(first.as_ptr().cast());
            let second = _mm512_loadu_si512(second.as_ptr().cast());
            [
                _mm512_unpacklo_epi16(first, second),
                _mm512_unpackhi_epi16(first, second),
            ]
        }
    }
}
