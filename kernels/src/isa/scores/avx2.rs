//! AVX2: 16 lanes are two registers.

// A module of intrinsics is made to be imported whole.
#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;

use super::Scores;
use crate::isa::LANES;
use crate::isa::avx2::Avx2;

/// Half of the numbers.
///
/// # Safety
/// The processor has AVX2, and `half` is 0 or 1.
#[inline(always)]
unsafe fn half(numbers: &[u32; LANES], half: usize) -> __m256i {
    // SAFETY: eight numbers lie there.
    unsafe { _mm256_loadu_si256(numbers.as_ptr().add(8 * half).cast()) }
}

// SAFETY of all blocks below: `Avx2::new` has found the instructions before it made `self`.
impl Scores for Avx2 {
    #[inline(always)]
    fn nearest(self, x: Self::F32) -> Self::F32 {
        // SAFETY: see above.
        x.map(|x| unsafe {
            _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x)
        })
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
        let mut out = otherwise;
        for at in 0..2 {
            // SAFETY: see above. Slots are below 2³¹, so that a comparison of signed numbers serves.
            unsafe {
                let slot = _mm256_set1_epi32(slot.cast_signed());
                let before = _mm256_cmpgt_epi32(half(first, at), slot);
                let inside = _mm256_andnot_si256(before, _mm256_cmpgt_epi32(half(past, at), slot));
                out[at] = _mm256_blendv_ps(otherwise[at], values[at], _mm256_castsi256_ps(inside));
            }
        }
        out
    }
    #[inline(always)]
    fn equal(
        self,
        number: u32,
        numbers: &[u32; LANES],
        values: Self::F32,
        otherwise: Self::F32,
    ) -> Self::F32 {
        let mut out = otherwise;
        for at in 0..2 {
            // SAFETY: see above.
            unsafe {
                let number = _mm256_set1_epi32(number.cast_signed());
                let equal = _mm256_cmpeq_epi32(half(numbers, at), number);
                out[at] = _mm256_blendv_ps(otherwise[at], values[at], _mm256_castsi256_ps(equal));
            }
        }
        out
    }
}
