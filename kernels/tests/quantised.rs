//! Products with quantised weights, to the bit: what each format means is written out here once more, from
//! ggml's description of its blocks, one number after the other.

mod common;

use common::{bytes, check_bits, numbers, seeded, sizes};
use menagerie_kernels::{Format, Level, Matrix, Packed, f16};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// 32 weights of an output: parts of equal length with their scales, and the minimum.
struct Block {
    codes: Vec<i32>,
    scales: Vec<f32>,
    minimum: f32,
}

/// 32 activations.
struct Activations {
    bytes: Vec<i32>,
    scale: f32,
}

fn half(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

fn q8(block: &[u8]) -> Vec<Block> {
    let codes = block[2..]
        .iter()
        .map(|byte| i32::from(byte.cast_signed()))
        .collect();
    vec![Block {
        codes,
        scales: vec![half(block)],
        minimum: 0.0,
    }]
}

fn q4(block: &[u8]) -> Vec<Block> {
    let code = |i: usize| block[2 + i % 16] >> (4 * (i / 16)) & 15;
    let codes = (0..32).map(|i| i32::from(code(i)) - 8).collect();
    vec![Block {
        codes,
        scales: vec![half(block)],
        minimum: 0.0,
    }]
}

/// `block_q4_K`: d, dmin, 12 bytes of scales and minima, 128 bytes of codes.
fn q4_k(group: &[u8]) -> Vec<Block> {
    let s = &group[4..16];
    let one = |j: usize| {
        let (scale, minimum) = match j {
            0..4 => (s[j] % 64, s[j + 4] % 64),
            _ => (
                s[j + 4] % 16 + s[j - 4] / 64 * 16,
                s[j + 4] / 16 + s[j] / 64 * 16,
            ),
        };
        let code = |i: usize| group[16 + j / 2 * 32 + i] >> (4 * (j % 2)) & 15;
        Block {
            codes: (0..32).map(|i| i32::from(code(i))).collect(),
            scales: vec![half(group) * f32::from(scale)],
            minimum: half(&group[2..]) * f32::from(minimum),
        }
    };
    (0..8).map(one).collect()
}

/// `block_q6_K`: 128 bytes of lower bits, 64 of upper ones, 16 scales, d. As in ggml's loop: each `l` of a half
/// gives four numbers, 32 apart.
fn q6_k(group: &[u8]) -> Vec<Block> {
    let mut codes = [0; 256];
    for n in 0..2 {
        let (ql, qh) = (&group[64 * n..], &group[128 + 32 * n..]);
        for l in 0..32 {
            let number = |low: u8, high: u8| i32::from(low & 15 | (high & 3) << 4) - 32;
            codes[128 * n + l] = number(ql[l], qh[l]);
            codes[128 * n + l + 32] = number(ql[l + 32], qh[l] >> 2);
            codes[128 * n + l + 64] = number(ql[l] >> 4, qh[l] >> 4);
            codes[128 * n + l + 96] = number(ql[l + 32] >> 4, qh[l] >> 6);
        }
    }
    let scale = |i: usize| half(&group[208..]) * f32::from(group[192 + i].cast_signed());
    (0..8)
        .map(|j| Block {
            codes: codes[32 * j..][..32].to_vec(),
            scales: vec![scale(2 * j), scale(2 * j + 1)],
            minimum: 0.0,
        })
        .collect()
}

/// Each format, the numbers and the bytes of a block of it, where its f16 are, and what it means.
type Meaning = fn(&[u8]) -> Vec<Block>;
const FORMATS: [(Format, usize, usize, &[usize], Meaning); 4] = [
    (Format::Q8, 32, 34, &[0], q8),
    (Format::Q4, 32, 18, &[0], q4),
    (Format::Q4K, 256, 144, &[0, 2], q4_k),
    (Format::Q6K, 256, 210, &[208], q6_k),
];

/// Random blocks: any codes, and scales that are no NaN.
fn random_blocks(rng: &mut ChaCha8Rng, count: usize, size: usize, halves: &[usize]) -> Vec<u8> {
    let mut out = bytes(rng, count * size);
    for block in out.chunks_exact_mut(size) {
        for at in halves {
            let value = f16::from_f32(rng.random_range(-0.1..0.1));
            block[*at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
    }
    out
}

fn quantised_activations(row: &[f32]) -> Vec<Activations> {
    row.chunks(32)
        .map(|part| {
            let largest = part.iter().fold(0_f32, |most, x| most.max(x.abs()));
            if largest == 0.0 {
                return Activations {
                    bytes: vec![0; part.len()],
                    scale: 0.0,
                };
            }
            let inverse = 127.0 / largest;
            #[allow(clippy::cast_possible_truncation)]
            let byte = |x: &f32| (x * inverse).round_ties_even() as i32;
            Activations {
                bytes: part.iter().map(byte).collect(),
                scale: largest / 127.0,
            }
        })
        .collect()
}

fn multiply(x: &[Activations], w: &[Block]) -> f32 {
    let mut sum = 0_f32;
    for (x, w) in x.iter().zip(w) {
        let length = 32 / w.scales.len();
        for (part, scale) in w.scales.iter().enumerate() {
            let products = x
                .bytes
                .iter()
                .zip(&w.codes)
                .skip(part * length)
                .take(length);
            let exact: i32 = products.map(|(x, w)| x * w).sum();
            sum += exact as f32 * (scale * x.scale);
        }
        if w.minimum != 0.0 {
            let all: i32 = x.bytes.iter().sum();
            sum -= w.minimum * (x.scale * all as f32);
        }
    }
    sum
}

fn check(packed: &Packed, x: &[f32], rows: usize, weights: &[Vec<Block>], what: &str) {
    let (inputs, outputs) = (packed.inputs(), packed.outputs());
    let mut wanted = Vec::new();
    for row in x.chunks_exact(inputs) {
        let row = quantised_activations(row);
        wanted.extend(weights.iter().map(|blocks| multiply(&row, blocks)));
    }
    for level in Level::available() {
        let mut y = vec![f32::NAN; rows * outputs];
        packed.multiply_at(level, x, &mut y);
        check_bits(
            &y,
            &wanted,
            &format!("{what}, {level}, {rows}×{inputs}×{outputs}"),
        );
    }
}

#[test]
fn blocks_of_gguf_mean_the_same_at_every_level() {
    let mut rng = seeded(11);
    for (format, block, size, halves, meaning) in FORMATS {
        for (rows, inputs, outputs) in sizes(&mut rng) {
            let blocks = inputs.div_ceil(32).div_ceil(block / 32);
            let inputs = blocks * block;
            let bytes = random_blocks(&mut rng, outputs * blocks, size, halves);
            let packed = Packed::from_blocks(format, outputs, inputs, &bytes).unwrap();
            let weights: Vec<Vec<Block>> = bytes
                .chunks_exact(blocks * size)
                .map(|row| row.chunks_exact(size).flat_map(meaning).collect())
                .collect();

            let dequantised: Vec<f32> = weights
                .iter()
                .flatten()
                .flat_map(|block| {
                    let length = 32 / block.scales.len();
                    let number = |(i, code): (usize, &i32)| {
                        let scaled = block.scales[i / length] * *code as f32;
                        if format == Format::Q4K {
                            scaled - block.minimum
                        } else {
                            scaled
                        }
                    };
                    block
                        .codes
                        .iter()
                        .enumerate()
                        .map(number)
                        .collect::<Vec<f32>>()
                })
                .collect();
            check_bits(&packed.dequantise(), &dequantised, &format!("{format}"));

            let x = numbers(&mut rng, rows * inputs);
            check(&packed, &x, rows, &weights, &format!("{format}"));
        }
    }
}

#[test]
fn sums_of_the_largest_bytes_are_exact() {
    // All codes and activations at the ends of their ranges, where 16-bit sums would overflow.
    for (format, _, size, halves, meaning) in FORMATS.into_iter().take(2) {
        for code in [0x00_u8, 0x7f, 0x80, 0xff] {
            let mut bytes = vec![code; 5 * size];
            for block in bytes.chunks_exact_mut(size) {
                block[halves[0]..halves[0] + 2].copy_from_slice(&f16::ONE.to_le_bytes());
            }
            let packed = Packed::from_blocks(format, 5, 32, &bytes).unwrap();
            let weights: Vec<Vec<Block>> = bytes.chunks_exact(size).map(meaning).collect();
            for x in [127.0, -127.0] {
                check(
                    &packed,
                    &[x; 96],
                    3,
                    &weights,
                    &format!("{format} {code:#x} {x}"),
                );
            }
        }
    }
}

#[test]
fn quantised_weights_are_the_nearest_their_scale_has() {
    let mut rng = seeded(12);
    for (outputs, inputs) in [(1, 1), (17, 32), (40, 77), (16, 500)] {
        let w = numbers(&mut rng, outputs * inputs);
        // Half a step of the largest number's 127th or 8th, and f16's rounding of the scale for the largest.
        // The far end of q4 has seven steps, where an eighth is wanted.
        for (format, most) in [(Format::Q8, 0.505 / 127.0), (Format::Q4, 1.005 / 8.0)] {
            let packed = Packed::quantise(format, Matrix::new(&w, outputs, inputs)).unwrap();
            let found = packed.dequantise();
            for (row, found) in w.chunks(inputs).zip(found.chunks(inputs)) {
                for (part, found) in row.chunks(32).zip(found.chunks(32)) {
                    let largest = part.iter().fold(0_f32, |most, w| most.max(w.abs()));
                    for (w, found) in part.iter().zip(found) {
                        // 127 steps of an f16 are off by 127 · 2⁻¹¹ of a step at most.
                        let bound = most * largest + largest * 2_f32.powi(-11);
                        assert!((w - found).abs() <= bound, "{format}: {w} became {found}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_error_of_a_product_is_that_of_the_rounded_activations() {
    let mut rng = seeded(13);
    let (rows, inputs, outputs) = (6, 1000, 50);
    let (x, w) = (
        numbers(&mut rng, rows * inputs),
        numbers(&mut rng, outputs * inputs),
    );
    for format in [Format::Q8, Format::Q4] {
        let packed = Packed::quantise(format, Matrix::new(&w, outputs, inputs)).unwrap();
        let weights = packed.dequantise();
        let mut y = vec![0.0; rows * outputs];
        packed.multiply(&x, &mut y);
        for (x, y) in x.chunks(inputs).zip(y.chunks(outputs)) {
            for (w, y) in weights.chunks(inputs).zip(y) {
                let (mut exact, mut allowed) = (0.0, 0.0);
                for (x, w) in x.chunks(32).zip(w.chunks(32)) {
                    let largest = x.iter().fold(0_f32, |most, x| most.max(x.abs()));
                    for (x, w) in x.iter().zip(w) {
                        exact += f64::from(*x) * f64::from(*w);
                        // Half a step of 1/127, and the f32 arithmetic: three roundings a block and one for each
                        // of the 32 blocks' sums, far below a 1000th of a step.
                        allowed += f64::from(largest * w.abs()) * 0.501 / 127.0;
                    }
                }
                let error = (f64::from(*y) - exact).abs();
                assert!(
                    error <= allowed,
                    "{format}: {y} for {exact}, {allowed} allowed"
                );
            }
        }
    }
}
