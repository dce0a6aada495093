use menagerie_kernels::{add_bias_at, column_sums, column_sums_at};

use crate::common::{check_bits, numbers, seeded};
use crate::{check_close, check_threads, levels};

const SIZES: [(usize, usize); 6] = [(0, 3), (1, 1), (5, 7), (33, 16), (70, 67), (1500, 70)];

#[test]
fn a_bias_and_a_residual_are_added_to_every_row() {
    let mut rng = seeded(95);
    for (rows, width) in SIZES {
        let bias = numbers(&mut rng, width);
        let [y, residual] = [(); 2].map(|()| numbers(&mut rng, rows * width));
        let biased: Vec<f32> = y
            .iter()
            .zip(bias.iter().cycle())
            .map(|(y, b)| y + b)
            .collect();
        let both: Vec<f32> = biased.iter().zip(&residual).map(|(y, r)| y + r).collect();
        for level in levels() {
            let mut found = y.clone();
            add_bias_at(level, &bias, None, &mut found);
            check_bits(&found, &biased, "bias");
            let mut found = y.clone();
            add_bias_at(level, &bias, Some(&residual), &mut found);
            check_bits(&found, &both, "bias and residual");
        }
    }
}

#[test]
fn columns_are_summed() {
    let mut rng = seeded(96);
    for (rows, width) in SIZES {
        let x = numbers(&mut rng, rows * width);
        let mut wanted = vec![0.0; width];
        for row in x.chunks_exact(width) {
            for (sum, x) in wanted.iter_mut().zip(row) {
                *sum += f64::from(*x);
            }
        }
        for level in levels() {
            let mut found = vec![f32::NAN; width];
            column_sums_at(level, &x, &mut found);
            check_close(&found, &wanted, 1e-6, 1e-6 * rows as f64, "sums");
        }
        check_threads("sums", || {
            let mut found = vec![f32::NAN; width];
            column_sums(&x, &mut found);
            found
        });
    }
}
