//! Memory in cache lines.

use half::{bf16, f16};

/// 64 bytes that begin a cache line: one vector register of AVX-512, two of AVX2.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u8; Line::BYTES]);

impl Line {
    pub(crate) const BYTES: usize = 64;
    pub(crate) const ZERO: Self = Self([0; Self::BYTES]);
}

/// What every pattern of bits is a value of, without padding, and at most 64 bytes that divide 64.
///
/// # Safety
/// Only for types of which all this is true: [`view_mut`] relies on it.
pub(crate) unsafe trait Plain: Copy + Send + Sync {}

// SAFETY: integers and floats, and arrays of them, take every pattern of bits; 4 and 8 divide 64.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for [u32; 2] {}
// SAFETY: as above.
unsafe impl Plain for [f32; 2] {}
// SAFETY: as above; 2 divides 64.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for bf16 {}
// SAFETY: as above.
unsafe impl Plain for f16 {}
// SAFETY: as above; 1 divides 64.
unsafe impl Plain for u8 {}
// SAFETY: as above; these are 64 bytes.
unsafe impl Plain for [f32; 16] {}
// SAFETY: as above.
unsafe impl Plain for [u32; 16] {}
// SAFETY: as above; these are 32.
unsafe impl Plain for [u16; 16] {}
// SAFETY: as above.
unsafe impl Plain for [[i8; 16]; 2] {}
// SAFETY: as above.
unsafe impl Plain for Line {}

impl Line {
    /// All of it as 16 numbers.
    #[inline(always)]
    pub(crate) fn f32s(&self) -> &[f32; 16] {
        // SAFETY: 64 bytes of enough alignment, of which every pattern is 16 numbers.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    /// All of it as 16 numbers.
    #[inline(always)]
    pub(crate) fn f32s_mut(&mut self) -> &mut [f32; 16] {
        // SAFETY: as above, and every 16 numbers are a line.
        unsafe { &mut *std::ptr::from_mut(self).cast() }
    }
}

/// Lines that hold `count` values of `T`.
pub(crate) const fn lines<T: Plain>(count: usize) -> usize {
    count.div_ceil(Line::BYTES / size_of::<T>())
}

/// The first `count` values of `T` in these lines.
pub(crate) fn view_mut<T: Plain>(memory: &mut [Line], count: usize) -> &mut [T] {
    assert!(lines::<T>(count) <= memory.len());
    // SAFETY: lines are aligned to 64 bytes, hold at least `count` values by the check above, and all
    // their bytes are initialised; every pattern of bits is a `T`, and a `T` has no padding, so that they
    // stay initialised.
    unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr().cast(), count) }
}

/// Parts of these numbers of lines, one after the other.
pub(crate) fn split<const N: usize>(lines: &mut [Line], counts: [usize; N]) -> [&mut [Line]; N] {
    let mut rest = lines;
    counts.map(|count| {
        let (part, others) = std::mem::take(&mut rest).split_at_mut(count);
        rest = others;
        part
    })
}
