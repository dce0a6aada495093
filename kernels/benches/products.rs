//! Products with packed weights and of two matrices, in bytes of weights or operations a second.
//!
//! ```sh
//! cargo bench -p menagerie-kernels --bench products -- matvec
//! ```

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use menagerie_kernels::{Format, Matrix, Packed, product};

const FORMATS: [Format; 3] = [Format::Bf16, Format::Q8, Format::Q4];

fn main() {
    divan::main();
}

/// Numbers in ±1 without a pattern that matters.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn packed(format: Format, outputs: usize, inputs: usize) -> Packed {
    let weights = numbers(outputs * inputs);
    Packed::quantise(format, Matrix::new(&weights, outputs, inputs))
        .expect("formats that are made from floats")
}

/// Rows against 4096 inputs and 11008 outputs, the widest product of a decoder of 7 B parameters.
#[divan::bench(args = FORMATS, consts = [1, 2, 4, 8, 16])]
fn decode<const ROWS: usize>(bencher: Bencher, format: Format) {
    let weights = packed(format, 11008, 4096);
    let (x, mut y) = (numbers(ROWS * 4096), vec![0.0; ROWS * 11008]);
    bencher
        .counter(BytesCount::new(weights.bytes()))
        .bench_local(|| weights.multiply(black_box(&x), &mut y));
}

/// 640 rows against 4096 inputs and 4096 outputs: an image and a question. Items are multiplications and additions.
#[divan::bench(args = FORMATS)]
fn prefill(bencher: Bencher, format: Format) {
    let weights = packed(format, 4096, 4096);
    let (x, mut y) = (numbers(640 * 4096), vec![0.0; 640 * 4096]);
    bencher
        .counter(ItemsCount::new(2_usize * 640 * 4096 * 4096))
        .bench_local(|| weights.multiply(black_box(&x), &mut y));
}

/// The gradient of a weight `[1024, 1024]` from 2048 tokens. Items are multiplications and additions.
#[divan::bench]
fn gradient(bencher: Bencher) {
    let (x, dy) = (numbers(2048 * 1024), numbers(2048 * 1024));
    bencher
        .counter(ItemsCount::new(2_usize * 2048 * 1024 * 1024))
        .bench_local(|| {
            let dy = Matrix::new(black_box(&dy), 2048, 1024).transposed();
            product(dy, Matrix::new(&x, 2048, 1024))
        });
}

/// Packing 4096 × 4096 weights.
#[divan::bench(args = FORMATS)]
fn pack(bencher: Bencher, format: Format) {
    let weights = numbers(4096 * 4096);
    bencher
        .counter(ItemsCount::new(4096_usize * 4096))
        .bench_local(|| Packed::quantise(format, Matrix::new(black_box(&weights), 4096, 4096)));
}
