//! What is added to a product on its way to memory.

mod common;

use common::{check_bits, numbers, seeded};
use menagerie_kernels::{Addends, Format, Level, Matrix, Packed};

#[test]
fn a_bias_and_a_residual_are_added_to_the_sums() {
    let mut rng = seeded(41);
    for (rows, inputs, outputs) in [(1, 65, 33), (7, 0, 5), (13, 2500, 70), (60, 4200, 17)] {
        let [x, w] = [rows, outputs].map(|count| numbers(&mut rng, count * inputs));
        let bias = numbers(&mut rng, outputs);
        let residual = numbers(&mut rng, rows * outputs);
        for format in [Format::F32, Format::Bf16, Format::Q8, Format::Q4] {
            let packed = Packed::quantise(format, Matrix::new(&w, outputs, inputs)).unwrap();
            for level in Level::available() {
                let mut sums = vec![f32::NAN; rows * outputs];
                packed.multiply_at(level, &x, &mut sums);
                for (bias, residual) in [
                    (Some(&*bias), None),
                    (None, Some(&*residual)),
                    (Some(&*bias), Some(&*residual)),
                ] {
                    let mut wanted = sums.clone();
                    for (at, wanted) in wanted.iter_mut().enumerate() {
                        if let Some(bias) = bias {
                            *wanted += bias[at % outputs];
                        }
                        if let Some(residual) = residual {
                            *wanted += residual[at];
                        }
                    }
                    let x = Matrix::new(&x, rows, inputs);
                    let y = packed.product_at(level, x, Addends { bias, residual });
                    let what = format!("{format} {level} {rows}×{inputs}×{outputs}");
                    check_bits(&y, &wanted, &what);
                }
            }
        }
    }
}
