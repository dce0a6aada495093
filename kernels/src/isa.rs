//! The few vector operations that the kernels are written in.
//!
//! A kernel is generic over these traits and is compiled once for each implementation. An
//! implementation is a token: a value of it exists only where the processor has its instructions, so its
//! methods are safe to call. Vectors have 16 lanes, one for each output of a panel of weights.
//!
//! All methods, and the `run` of kernels, are `#[inline(always)]`: only inside of [`Lanes::enter`],
//! which switches the instructions on, do they become single instructions.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod portable;
pub(crate) mod scores;

use crate::level::Level;
use crate::line::{Line, Plain};

/// Outputs of a panel, and lanes of a vector.
pub(crate) const LANES: usize = 16;

/// Work that is compiled for each set of instructions.
pub(crate) trait Kernel<I> {
    fn run(self, isa: I);
}

/// Arithmetic of 16 f32.
pub(crate) trait Lanes: Copy + Send + Sync {
    type F32: Copy;

    /// Runs the kernel with the instructions switched on.
    fn enter<K: Kernel<Self>>(self, kernel: K);

    fn splat(self, value: f32) -> Self::F32;
    fn load(self, values: &[f32; LANES]) -> Self::F32;
    fn store(self, values: Self::F32) -> [f32; LANES];
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
}

/// What functions of f32 are made of, beyond sums and products.
pub(crate) trait Floats: Lanes {
    /// Rows and panels of a product that are worked on together: as many as the registers hold.
    const TILE: (usize, usize);

    /// `a · b + c`, rounded once where the processor can.
    fn fma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn sqrt(self, x: Self::F32) -> Self::F32;
    /// The larger one; `b` if either is a NaN.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// The smaller one; `b` if either is a NaN.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `then` where `a < b`, else `otherwise`, also for a NaN.
    fn less(self, a: Self::F32, b: Self::F32, then: Self::F32, otherwise: Self::F32) -> Self::F32;
    fn abs(self, x: Self::F32) -> Self::F32;
    fn with_sign(self, magnitude: Self::F32, sign: Self::F32) -> Self::F32;
    /// `x · 2^power`, rounded once, for a whole `power` of at most 252 in magnitude and an `x` around 1.
    fn scale(self, x: Self::F32, power: Self::F32) -> Self::F32;

    /// The nearest whole number, the even one of two, for magnitudes below 2²².
    #[inline(always)]
    fn round(self, x: Self::F32) -> Self::F32 {
        // From 2²³ on an f32 has no fraction.
        let shift = self.splat(12_582_912.0);
        self.sub(self.add(x, shift), shift)
    }

    /// The sum of all lanes: halves are added, then their halves.
    #[inline(always)]
    fn sum(self, x: Self::F32) -> f32 {
        let mut lanes = self.store(x);
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        lanes[0]
    }

    /// The largest lane; one that is a NaN may be passed over.
    #[inline(always)]
    fn largest(self, x: Self::F32) -> f32 {
        let lanes = self.store(x);
        lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}

/// Work on f32 alone, which is compiled for each set of instructions that [`Floats`] has.
pub(crate) trait Work {
    fn run<I: Floats>(self, isa: I);
}

impl<I: Floats, W: Work> Kernel<I> for W {
    #[inline(always)]
    fn run(self, isa: I) {
        Work::run(self, isa);
    }
}

/// Does the work with the instructions of the level. What is past AVX-512 gains f32 nothing.
pub(crate) fn work(level: Level, work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    {
        if level >= Level::Avx512
            && let Some(isa) = avx512::Avx512::new()
        {
            return isa.enter(work);
        }
        if level >= Level::Avx2
            && let Some(isa) = avx2::Avx2::new()
        {
            return isa.enter(work);
        }
    }
    debug_assert!(level.is_available());
    portable::Portable.enter(work);
}

/// Products of bf16, two columns at a time.
pub(crate) trait Pairs: Lanes {
    /// Two neighbours of a row of activations.
    type Pair: Plain;
    /// Two columns of 16 outputs.
    type Weights: Copy;
    /// Rows and panels that are worked on together: as many as the registers hold.
    const TILE: (usize, usize);

    /// Two bf16, the first column first.
    fn pair(self, bits: [u16; 2]) -> Self::Pair;
    /// `line` holds two bf16 of each output.
    fn weights(self, line: &Line) -> Self::Weights;
    /// `sum + weights[0] · pair[0] + weights[1] · pair[1]`
    fn pairs(self, sum: Self::F32, weights: Self::Weights, pair: Self::Pair) -> Self::F32;
}

/// Products of bytes, four columns at a time, exact in i32.
pub(crate) trait Quads: Lanes {
    /// 16 sums.
    type I32: Copy;
    /// 64 bytes: four columns of 16 outputs.
    type Bytes: Copy;
    /// The bytes as the product wants them.
    type Codes: Copy;
    /// Four neighbours of a row of activations.
    type Quad: Plain;
    /// Rows and panels that are worked on together: as many as the registers hold.
    const TILE: (usize, usize);

    fn quad(self, values: [i8; 4]) -> Self::Quad;
    fn bytes(self, line: &Line) -> Self::Bytes;
    /// The lower four bits of each byte.
    fn low(self, bytes: Self::Bytes) -> Self::Bytes;
    /// The upper four bits of each byte.
    fn high(self, bytes: Self::Bytes) -> Self::Bytes;
    /// Bits `2 · at` and `2 · at + 1` of each byte, moved to the places 4 and 5.
    fn crumbs(self, bytes: Self::Bytes, at: usize) -> Self::Bytes;
    fn or(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    fn codes(self, bytes: Self::Bytes) -> Self::Codes;
    fn splat_i32(self, value: i32) -> Self::I32;
    /// `sum + Σ codes[i] · quad[i]` over four columns; codes are unsigned.
    fn quads(self, sum: Self::I32, codes: Self::Codes, quad: Self::Quad) -> Self::I32;
    fn to_f32(self, sums: Self::I32) -> Self::F32;
    /// 16 f16 by their bits.
    fn halves(self, bits: &[u16; LANES]) -> Self::F32;
    fn unsigned(self, bytes: &[u8; LANES]) -> Self::F32;
    fn signed(self, bytes: &[i8; LANES]) -> Self::F32;
}
