//! Functions of f32, 16 numbers at a time.
//!
//! Polynomials are the best in the largest error over their interval (Remez), weighted so that it is the
//! relative error of the result.

use crate::isa::Floats;

/// `eʳ = 1 + r + r² · (this polynomial in r)` for |r| ≤ ln 2 / 2, lowest coefficient first.
const EXP: [f32; 5] = [
    0.5,
    0.166_665_42,
    0.041_666_28,
    0.008_366_644,
    0.001_394_655_4,
];
/// ln 2 in two parts, of which the first has nine bits: its product with an exponent is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `erf(x) = x + x · (this polynomial in x²)` for |x| ≤ 0.95.
const ERF_SMALL: [f32; 7] = [
    0.128_379_17,
    -0.376_126_32,
    0.112_836_64,
    -0.026_857_706,
    0.005_196_952_3,
    -8.097_704e-4,
    8.185_094e-5,
];
/// `−ln(1 − erf(x))` for 0.9 ≤ x ≤ 4.
const ERF_LARGE: [f32; 7] = [
    1.664_480_5e-4,
    1.127_797_2,
    0.636_976_06,
    0.104_113_676,
    -0.022_315_212,
    0.003_065_49,
    -1.982_196_1e-4,
];
/// Where the second polynomial takes over.
const ERF_SPLIT: f32 = 0.92;

/// A polynomial, lowest coefficient first.
#[inline(always)]
fn polynomial<I: Floats, const N: usize>(isa: I, x: I::F32, coefficients: [f32; N]) -> I::F32 {
    let mut out = isa.splat(coefficients[N - 1]);
    for coefficient in coefficients.iter().rev().skip(1) {
        out = isa.fma(out, x, isa.splat(*coefficient));
    }
    out
}

/// The whole number n and `eʳ − 1` of `x = n · ln 2 + r`.
#[inline(always)]
fn reduced<I: Floats>(isa: I, x: I::F32) -> (I::F32, I::F32) {
    let power = isa.round(isa.mul(x, isa.splat(std::f32::consts::LOG2_E)));
    let rest = isa.fma(power, isa.splat(-LN_2[0]), x);
    let rest = isa.fma(power, isa.splat(-LN_2[1]), rest);
    let tail = isa.mul(isa.mul(rest, rest), polynomial(isa, rest, EXP));
    (power, isa.add(rest, tail))
}

/// `eˣ`. Infinite where that is too large for f32, and subnormal or 0 where it is too small.
#[inline(always)]
pub(crate) fn exp<I: Floats>(isa: I, x: I::F32) -> I::F32 {
    // Past these bounds the result is infinite or 0, and so it is on them. `x` is the second argument, so that
    // a NaN stays.
    let x = isa.min(isa.splat(89.0), isa.max(isa.splat(-104.0), x));
    let (power, rest) = reduced(isa, x);
    isa.scale(isa.add(rest, isa.splat(1.0)), power)
}

/// `1 / (1 + e⁻ˣ)`
#[inline(always)]
pub(crate) fn sigmoid<I: Floats>(isa: I, x: I::F32) -> I::F32 {
    let one = isa.splat(1.0);
    // Of −|x|, since the exponential of a large number is infinite.
    let small = exp(isa, isa.sub(isa.splat(0.0), isa.abs(x)));
    let numerator = isa.less(x, isa.splat(0.0), small, one);
    isa.div(numerator, isa.add(one, small))
}

/// The hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<I: Floats>(isa: I, x: I::F32) -> I::F32 {
    // `t / (t + 2)` with `t = e²ˣ − 1`, which loses nothing near 0, and is 1 from 10 on.
    let magnitude = isa.min(isa.splat(10.0), isa.abs(x));
    let (power, rest) = reduced(isa, isa.add(magnitude, magnitude));
    let scale = isa.scale(isa.splat(1.0), power);
    let t = isa.fma(scale, rest, isa.sub(scale, isa.splat(1.0)));
    let result = isa.div(t, isa.add(t, isa.splat(2.0)));
    isa.with_sign(result, x)
}

/// The error function.
#[inline(always)]
pub(crate) fn erf<I: Floats>(isa: I, x: I::F32) -> I::F32 {
    // 1 from 4 on.
    let magnitude = isa.min(isa.splat(4.0), isa.abs(x));
    let small = polynomial(isa, isa.mul(magnitude, magnitude), ERF_SMALL);
    let small = isa.fma(magnitude, small, magnitude);
    let logarithm = polynomial(isa, magnitude, ERF_LARGE);
    let complement = exp(isa, isa.sub(isa.splat(0.0), logarithm));
    let large = isa.sub(isa.splat(1.0), complement);
    let result = isa.less(magnitude, isa.splat(ERF_SPLIT), small, large);
    isa.with_sign(result, x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{LANES, Work, work};
    use crate::level::Level;

    #[derive(Debug, Clone, Copy)]
    enum Function {
        Exp,
        Sigmoid,
        Tanh,
        Erf,
    }

    struct Each<'a>(Function, &'a mut [[f32; LANES]]);

    impl Work for Each<'_> {
        #[inline(always)]
        fn run<I: Floats>(self, isa: I) {
            for numbers in self.1 {
                let x = isa.load(numbers);
                *numbers = isa.store(match self.0 {
                    Function::Exp => exp(isa, x),
                    Function::Sigmoid => sigmoid(isa, x),
                    Function::Tanh => tanh(isa, x),
                    Function::Erf => erf(isa, x),
                });
            }
        }
    }

    /// Of a series without cancellation (Abramowitz and Stegun, 7.1.6).
    fn erf_f64(x: f64) -> f64 {
        let limited = x.clamp(-6.0, 6.0);
        let (mut term, mut sum, mut odd) = (limited, limited, 1.0);
        while term.abs() > 1e-18 * sum.abs() {
            odd += 2.0;
            term *= 2.0 * limited * limited / odd;
            sum += term;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-limited * limited).exp() * sum
    }

    fn wanted(function: Function, x: f64) -> f64 {
        match function {
            Function::Exp => x.exp(),
            Function::Sigmoid if x < 0.0 => x.exp() / (1.0 + x.exp()),
            Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Function::Tanh => x.tanh(),
            Function::Erf => erf_f64(x),
        }
    }

    /// Units in the last place between a result and the number that it stands for.
    fn distance(result: f32, wanted: f64) -> f64 {
        #[allow(clippy::cast_possible_truncation)]
        let nearest = wanted as f32;
        if result == nearest || result.is_nan() && nearest.is_nan() {
            return 0.0;
        }
        if !result.is_finite() || !nearest.is_finite() {
            return f64::INFINITY;
        }
        let magnitude = nearest.abs();
        let unit = f64::from(magnitude.next_up()) - f64::from(magnitude);
        (f64::from(result) - wanted).abs() / unit
    }

    fn check(function: Function, numbers: &[f32], most: f64) {
        for level in Level::available() {
            let (chunks, rest) = numbers.as_chunks::<LANES>();
            assert!(rest.is_empty());
            let mut results = chunks.to_vec();
            work(level, Each(function, &mut results));
            let mut worst = (0.0, 0.0, 0.0);
            for (x, result) in numbers.iter().zip(results.as_flattened()) {
                let distance = distance(*result, wanted(function, f64::from(*x)));
                if distance > worst.0 {
                    worst = (distance, *x, *result);
                }
            }
            let (distance, x, result) = worst;
            assert!(
                distance <= most,
                "{level}: {function:?} of {x} is {result}, {distance} units off"
            );
        }
    }

    /// Every f32 of a stride through all patterns of bits: all exponents, both signs, infinities, NaN.
    fn all(stride: usize) -> Vec<f32> {
        let mut out: Vec<f32> = (0..=u32::MAX).step_by(stride).map(f32::from_bits).collect();
        out.extend([0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
        out.resize(out.len().next_multiple_of(LANES), -f32::NAN);
        out
    }

    /// Numbers between two bounds, evenly.
    fn range(from: f32, to: f32) -> Vec<f32> {
        let count = 1 << 20;
        let step = (to - from) / count as f32;
        (0..count).map(|at| from + at as f32 * step).collect()
    }

    #[test]
    fn functions_are_within_units_in_the_last_place_for_every_number() {
        for (function, most) in [
            (Function::Exp, 1.5),
            (Function::Sigmoid, 3.0),
            (Function::Tanh, 3.0),
        ] {
            check(function, &all(4099), most);
        }
        check(Function::Exp, &range(-104.5, 89.5), 1.5);
        check(Function::Sigmoid, &range(-104.5, 20.0), 3.0);
        check(Function::Tanh, &range(-10.0, 10.0), 3.0);
        check(Function::Erf, &all(1_000_003), 2.0);
        check(Function::Erf, &range(-4.2, 4.2), 2.0);
    }
}
