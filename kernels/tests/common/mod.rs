//! Random matrices, and products in f64.

// Each test binary uses a part of it.
#![allow(dead_code)]

use menagerie_kernels::bf16;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Numbers of both signs over four orders of magnitude, like activations with their outliers.
pub fn numbers(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count)
        .map(|_| {
            let size = 10_f32.powf(rng.random_range(-3.0..1.0));
            if rng.random() { size } else { -size }
        })
        .collect()
}

pub fn bytes(rng: &mut ChaCha8Rng, count: usize) -> Vec<u8> {
    (0..count).map(|_| rng.random()).collect()
}

/// Rounded to bf16, in f64.
pub fn rounded(values: &[f32]) -> Vec<f64> {
    values
        .iter()
        .map(|value| f64::from(bf16::from_f32(*value)))
        .collect()
}

/// Small odd sizes, then some past the blocks in which the kernels work: `(rows, inputs, outputs)`.
pub fn sizes(rng: &mut ChaCha8Rng) -> Vec<(usize, usize, usize)> {
    let mut out: Vec<_> = (0..60)
        .map(|_| {
            (
                rng.random_range(1..=40),
                rng.random_range(1..=67),
                rng.random_range(1..=67),
            )
        })
        .collect();
    out.extend([
        (1, 3001, 130),
        (7, 2048, 64),
        (13, 4131, 81),
        (110, 2500, 33),
        (3, 1, 700),
    ]);
    out
}

/// The same numbers with rows for columns.
pub fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

/// In f64.
pub fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

/// `Σ x[row, i] · w[output, i]` and `Σ |x[row, i] · w[output, i]|` for each output of each row.
pub fn reference(x: &[f64], w: &[f64], inputs: usize) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    for x in x.chunks_exact(inputs) {
        for w in w.chunks_exact(inputs) {
            let terms = x.iter().zip(w).map(|(x, w)| x * w);
            out.push(terms.fold((0.0, 0.0), |(sum, size), term| {
                (sum + term, size + term.abs())
            }));
        }
    }
    out
}

/// Fails where a result is further from its reference than `count` roundings of f32 can bring it: each sum of
/// `count` terms in any order is within `count · u / (1 − count · u)` of their magnitudes, `u = 2⁻²⁴`
/// (Higham, Accuracy and Stability of Numerical Algorithms, §4.2), and products of bf16 are exact.
pub fn check_roundings(result: &[f32], reference: &[(f64, f64)], count: usize, what: &str) {
    assert_eq!(result.len(), reference.len(), "{what}");
    let unit = count as f64 * f64::from(f32::EPSILON) / 2.0;
    let bound = unit / (1.0 - unit);
    for (at, (result, (sum, size))) in result.iter().zip(reference).enumerate() {
        let error = (f64::from(*result) - sum).abs();
        assert!(
            error <= bound * size,
            "{what}: number {at} is {result}, off by {error} where {} is allowed",
            bound * size
        );
    }
}

/// Fails where bits differ.
pub fn check_bits(result: &[f32], wanted: &[f32], what: &str) {
    assert_eq!(result.len(), wanted.len(), "{what}");
    for (at, (result, wanted)) in result.iter().zip(wanted).enumerate() {
        assert_eq!(
            result.to_bits(),
            wanted.to_bits(),
            "{what}: number {at} is {result} and not {wanted}"
        );
    }
}
