//! The same numbers, however the work is done; and numbers that are none.

mod common;

use common::{check_bits, numbers, seeded};
use menagerie_kernels::{Format, Level, Matrix, PackError, Packed, product};

const MADE: [Format; 4] = [Format::F32, Format::Bf16, Format::Q8, Format::Q4];

fn packed(format: Format, w: &[f32], outputs: usize, inputs: usize) -> Packed {
    Packed::quantise(format, Matrix::new(w, outputs, inputs)).unwrap()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut rng = seeded(21);
    let pools = [1, 2, 3, 8].map(|threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    });
    for (rows, inputs, outputs) in [
        (1, 1500, 1100),
        (5, 700, 500),
        (130, 2100, 70),
        (300, 90, 33),
    ] {
        let (x, w) = (
            numbers(&mut rng, rows * inputs),
            numbers(&mut rng, outputs * inputs),
        );
        for format in MADE {
            let results = pools.each_ref().map(|pool| {
                pool.install(|| {
                    let mut y = vec![f32::NAN; rows * outputs];
                    packed(format, &w, outputs, inputs).multiply(&x, &mut y);
                    y
                })
            });
            for result in &results[1..] {
                check_bits(
                    result,
                    &results[0],
                    &format!("{format} {rows}×{inputs}×{outputs}"),
                );
            }
        }
        let (left, right) = (
            Matrix::new(&x, rows, inputs),
            Matrix::new(&w, outputs, inputs).transposed(),
        );
        let results = pools
            .each_ref()
            .map(|pool| pool.install(|| product(left, right)));
        for result in &results[1..] {
            check_bits(result, &results[0], "two matrices");
        }
    }
}

#[test]
fn a_row_alone_is_the_row_in_a_batch() {
    let mut rng = seeded(22);
    let (inputs, outputs) = (2300, 90);
    let w = numbers(&mut rng, outputs * inputs);
    for format in MADE {
        let packed = packed(format, &w, outputs, inputs);
        for rows in [2, 3, 5, 6, 7, 11, 16, 57] {
            let x = numbers(&mut rng, rows * inputs);
            for level in Level::available() {
                let mut all = vec![f32::NAN; rows * outputs];
                packed.multiply_at(level, &x, &mut all);
                for (x, together) in x.chunks(inputs).zip(all.chunks(outputs)) {
                    let mut alone = vec![f32::NAN; outputs];
                    packed.multiply_at(level, x, &mut alone);
                    check_bits(&alone, together, &format!("{format}, {level}, {rows} rows"));
                }
            }
        }
    }
}

#[test]
fn products_inside_of_products_do_not_meet() {
    use rayon::prelude::*;

    let mut rng = seeded(23);
    let (rows, inputs, outputs) = (20, 600, 400);
    let (x, w) = (
        numbers(&mut rng, rows * inputs),
        numbers(&mut rng, outputs * inputs),
    );
    for format in MADE {
        let packed = packed(format, &w, outputs, inputs);
        let mut wanted = vec![0.0; rows * outputs];
        packed.multiply(&x, &mut wanted);
        // More at once than there are threads: one that waits takes up another.
        (0..24).into_par_iter().for_each(|_| {
            let mut y = vec![f32::NAN; rows * outputs];
            packed.multiply(&x, &mut y);
            check_bits(&y, &wanted, &format!("{format}"));
        });
    }
}

#[test]
fn nan_and_infinity_show_in_their_row_alone() {
    let mut rng = seeded(24);
    let (rows, inputs, outputs) = (4, 100, 40);
    let w = numbers(&mut rng, outputs * inputs);
    for format in MADE {
        let packed = packed(format, &w, outputs, inputs);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = numbers(&mut rng, rows * inputs);
            x[2 * inputs + 99] = bad;
            for level in Level::available() {
                let mut y = vec![0.0; rows * outputs];
                packed.multiply_at(level, &x, &mut y);
                for (row, y) in y.chunks(outputs).enumerate() {
                    let finite = y.iter().filter(|y| y.is_finite()).count();
                    assert_eq!(
                        finite,
                        if row == 2 { 0 } else { outputs },
                        "{format} {level} {bad}"
                    );
                }
            }
        }
    }
}

#[test]
fn weights_that_are_no_numbers_become_some() {
    for format in [Format::Q8, Format::Q4] {
        let w = [1.0, f32::NAN, -0.5, f32::INFINITY, 0.0, f32::NEG_INFINITY];
        let found = packed(format, &w, 1, 6).dequantise();
        assert!(found.iter().all(|w| w.is_finite()), "{format}: {found:?}");
        assert_eq!(found[1], 0.0, "{format}");
        assert!(found[3] > 0.0 && found[5] < 0.0, "{format}: {found:?}");
        // Too small for a scale in f16.
        assert_eq!(packed(format, &[1e-12; 40], 1, 40).dequantise(), [0.0; 40]);
    }
}

#[test]
fn nothing_times_nothing() {
    for format in MADE {
        for level in Level::available() {
            let mut y = [f32::NAN; 6];
            packed(format, &[], 2, 0).multiply_at::<f32>(level, &[], &mut y);
            assert_eq!(y, [0.0; 6], "{format} {level}");
            packed(format, &[1.0, 2.0], 1, 2).multiply_at::<f32>(level, &[], &mut []);
            packed(format, &[], 0, 2).multiply_at(level, &[1.0, 2.0], &mut []);
        }
    }
    let (a, b) = (
        Matrix::new(&[0_f32; 0], 2, 0),
        Matrix::new(&[0_f32; 0], 0, 1),
    );
    assert_eq!(product(a, b), [0.0; 2]);
}

#[test]
fn blocks_that_do_not_fit_are_refused() {
    let error = Packed::from_blocks(Format::Q8, 2, 33, &[0; 68]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rows of 33 are no multiple of the 32 numbers of a block of q8_0"
    );
    let error = Packed::from_blocks(Format::Q4K, 2, 256, &[0; 287]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "[2, 256] in q4_K takes 288 bytes of blocks, and these are 287"
    );
    let w = Matrix::new(&[0_f32; 256], 1, 256);
    let error = Packed::quantise(Format::Q6K, w).unwrap_err();
    assert_eq!(
        error,
        PackError::ReadOnly {
            format: Format::Q6K
        }
    );
}
