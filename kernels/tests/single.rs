//! Products of two matrices in f32 against f64.

mod common;

use common::{check_roundings, numbers, reference, seeded, sizes, transpose, wide};
use menagerie_kernels::{Matrix, product_f32};

#[test]
fn two_matrices_multiply_however_each_lies_in_memory() {
    let mut rng = seeded(51);
    let mut sizes = sizes(&mut rng);
    // Enough for threads.
    sizes.push((203, 190, 211));
    for (m, k, n) in sizes {
        let (a, b) = (numbers(&mut rng, m * k), numbers(&mut rng, n * k));
        let wanted = reference(&wide(&a), &wide(&b), k);
        let (a_columns, b_columns) = (transpose(&a, m, k), transpose(&b, n, k));
        for a in [
            Matrix::new(&a, m, k),
            Matrix::new(&a_columns, k, m).transposed(),
        ] {
            for b in [
                Matrix::new(&b, n, k).transposed(),
                Matrix::new(&b_columns, k, n),
            ] {
                // Where the processor does not fuse multiplication and addition, each term has a rounding of its own.
                check_roundings(&product_f32(a, b), &wanted, k + 1, &format!("{m}×{k}×{n}"));
            }
        }
    }
}

#[test]
fn a_sum_of_nothing_is_zero() {
    let (a, b) = (Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 3));
    assert_eq!(product_f32(a, b), [0.0; 6]);
    let (a, b) = (Matrix::new(&[], 0, 3), Matrix::new(&[0.0; 3], 3, 1));
    assert_eq!(product_f32(a, b), []);
}
