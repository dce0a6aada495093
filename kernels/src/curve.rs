//! Activation functions and their slopes.

use crate::isa::Floats;
use crate::math::{erf, exp, sigmoid};

/// A function of one number.
pub(crate) trait Curve: Copy + Send + Sync {
    fn value<I: Floats>(isa: I, x: I::F32) -> I::F32;
    /// The value and the derivative.
    fn slope<I: Floats>(isa: I, x: I::F32) -> (I::F32, I::F32);
}

/// Past this, a slope is 0 or 1 to all bits, and what it is computed of could overflow.
const FLAT: f32 = 100.0;

/// `x` no further from 0 than [`FLAT`]; a NaN stays.
#[inline(always)]
fn limited<I: Floats>(isa: I, x: I::F32) -> I::F32 {
    isa.min(isa.splat(FLAT), isa.max(isa.splat(-FLAT), x))
}

/// `x · σ(u)` and its derivative `σ + x · σ (1 − σ) · u′`.
#[inline(always)]
fn gated_slope<I: Floats>(isa: I, x: I::F32, u: I::F32, du: I::F32) -> (I::F32, I::F32) {
    let gate = sigmoid(isa, u);
    let spread = isa.mul(gate, isa.sub(isa.splat(1.0), gate));
    let change = isa.mul(isa.mul(spread, limited(isa, x)), du);
    (isa.mul(x, gate), isa.add(gate, change))
}

/// `x · σ(x)`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silu;

impl Curve for Silu {
    #[inline(always)]
    fn value<I: Floats>(isa: I, x: I::F32) -> I::F32 {
        isa.mul(x, sigmoid(isa, x))
    }
    #[inline(always)]
    fn slope<I: Floats>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        gated_slope(isa, x, x, isa.splat(1.0))
    }
}

/// `x · σ(1.702 x)`
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuickGelu;

impl QuickGelu {
    const FACTOR: f32 = 1.702;
}

impl Curve for QuickGelu {
    #[inline(always)]
    fn value<I: Floats>(isa: I, x: I::F32) -> I::F32 {
        isa.mul(x, sigmoid(isa, isa.mul(x, isa.splat(Self::FACTOR))))
    }
    #[inline(always)]
    fn slope<I: Floats>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        let factor = isa.splat(Self::FACTOR);
        gated_slope(isa, x, isa.mul(x, factor), factor)
    }
}

/// `x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`, which is `x · σ` of twice that angle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GeluTanh;

impl GeluTanh {
    /// 2 √(2/π)
    const FACTOR: f32 = 1.595_769_2;
    const CUBE: f32 = 0.044_715;
}

impl Curve for GeluTanh {
    #[inline(always)]
    fn value<I: Floats>(isa: I, x: I::F32) -> I::F32 {
        let square = isa.mul(x, x);
        let inner = isa.fma(square, isa.splat(Self::CUBE), isa.splat(1.0));
        let u = isa.mul(isa.mul(x, isa.splat(Self::FACTOR)), inner);
        isa.mul(x, sigmoid(isa, u))
    }
    #[inline(always)]
    fn slope<I: Floats>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        let near = limited(isa, x);
        let (square, one) = (isa.mul(near, near), isa.splat(1.0));
        let inner = isa.fma(square, isa.splat(Self::CUBE), one);
        let factor = isa.splat(Self::FACTOR);
        let u = isa.mul(isa.mul(near, factor), inner);
        let du = isa.fma(square, isa.splat(3.0 * Self::CUBE), one);
        gated_slope(isa, x, u, isa.mul(factor, du))
    }
}

/// `x / 2 · (1 + erf(x / √2))`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gelu;

impl Gelu {
    /// The share of a normal distribution below `x`.
    #[inline(always)]
    fn share<I: Floats>(isa: I, x: I::F32) -> I::F32 {
        let erf = erf(isa, isa.mul(x, isa.splat(std::f32::consts::FRAC_1_SQRT_2)));
        isa.fma(erf, isa.splat(0.5), isa.splat(0.5))
    }
}

impl Curve for Gelu {
    #[inline(always)]
    fn value<I: Floats>(isa: I, x: I::F32) -> I::F32 {
        isa.mul(x, Self::share(isa, x))
    }
    #[inline(always)]
    fn slope<I: Floats>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        /// 1 / √(2π)
        const DENSITY: f32 = 0.398_942_3;
        let share = Self::share(isa, x);
        let near = limited(isa, x);
        let exponent = isa.mul(isa.mul(near, near), isa.splat(-0.5));
        let density = isa.mul(exp(isa, exponent), isa.splat(DENSITY));
        (isa.mul(x, share), isa.fma(near, density, share))
    }
}
