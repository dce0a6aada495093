//! Products of few rows in f32 against f64, at every level.

mod common;

use common::{check_bits, check_roundings, numbers, reference, seeded, transpose, wide};
use menagerie_kernels::{Addends, Level, Matrix, thin_product, thin_product_at};

const SIZES: [(usize, usize, usize); 9] = [
    (0, 3, 5),
    (1, 0, 5),
    (1, 1, 1),
    (1, 67, 33),
    (2, 130, 17),
    (5, 16, 16),
    (8, 301, 1100),
    (7, 1003, 70),
    (19, 45, 131),
];

#[test]
fn few_rows_are_multiplied_however_the_weights_lie() {
    let mut rng = seeded(44);
    for (rows, inputs, outputs) in SIZES {
        let x = numbers(&mut rng, rows * inputs);
        let by_output = numbers(&mut rng, outputs * inputs);
        let by_input = transpose(&by_output, outputs, inputs);
        let wanted = if inputs == 0 {
            vec![(0.0, 0.0); rows * outputs]
        } else {
            reference(&wide(&x), &wide(&by_output), inputs)
        };
        for level in Level::available() {
            for w in [
                Matrix::new(&by_input, inputs, outputs),
                Matrix::new(&by_output, outputs, inputs).transposed(),
            ] {
                let what = format!("{level} {rows}×{inputs}×{outputs}");
                let mut y = vec![f32::NAN; rows * outputs];
                thin_product_at(level, &x, w, Addends::default(), &mut y);
                // Without a fused multiplication each term has a rounding of its own.
                check_roundings(&y, &wanted, inputs + 1, &what);
                for (x, y) in x.chunks(inputs.max(1)).zip(y.chunks(outputs)) {
                    let mut alone = vec![f32::NAN; outputs];
                    thin_product_at(level, x, w, Addends::default(), &mut alone);
                    check_bits(&alone, y, &what);
                }
                let bias = numbers(&mut rng, outputs);
                let addends = Addends {
                    bias: Some(&bias),
                    residual: Some(&y),
                };
                let mut more = vec![f32::NAN; rows * outputs];
                thin_product_at(level, &x, w, addends, &mut more);
                for (at, y) in y.iter().enumerate() {
                    assert_eq!(more[at], y + bias[at % outputs] + y, "{what}");
                }
            }
        }
    }
}

#[test]
fn threads_change_nothing() {
    let mut rng = seeded(45);
    let (rows, inputs, outputs) = (3, 500, 2500);
    let (x, w) = (
        numbers(&mut rng, rows * inputs),
        numbers(&mut rng, inputs * outputs),
    );
    for w in [
        Matrix::new(&w, inputs, outputs),
        Matrix::new(&w, outputs, inputs).transposed(),
    ] {
        let results = [1, 2, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| {
                let mut y = vec![f32::NAN; rows * outputs];
                thin_product(&x, w, Addends::default(), &mut y);
                y
            })
        });
        for result in &results[1..] {
            check_bits(result, &results[0], "threads");
        }
    }
}
