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
