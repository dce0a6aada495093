//! Biases of products.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use menagerie_kernels::{add_bias as add, column_sums};

use super::fused::{Fused, Input, f32s, run};
use super::memory::{changed, dense, values, vector};

/// `y + bias`: `[…, out]` and `[out]`, written over `y` where nobody else holds it, as nobody holds a fresh product.
pub(crate) fn add_bias<const D: usize>(y: Tensor<D>, bias: Tensor<1>) -> Tensor<D> {
    if super::fuses(&y) && super::fuses(&bias) {
        run(AddBias, [Input::fused(y), Input::fused(bias)])
    } else {
        y + bias.unsqueeze()
    }
}

#[derive(Debug, Clone, Copy)]
struct AddBias;

impl Fused<2> for AddBias {
    type Saved = ();

    fn forward_saving(&self, [y, bias]: [FlexTensor; 2]) -> (FlexTensor, ()) {
        let bias = bias.to_contiguous();
        let bias = f32s(&bias);
        let sum = changed(
            dense(y),
            |y| add(bias, None, y),
            |y, sum| {
                sum.copy_from_slice(y);
                add(bias, None, sum);
            },
        );
        (sum, ())
    }

    fn backward(
        &self,
        (): (),
        dy: FlexTensor,
        [of_product, of_bias]: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let dy = dense(dy);
        let width = dy.layout().shape().last().copied().unwrap_or(1);
        let dbias = of_bias.then(|| {
            let mut sums = vec![0.0_f32; width];
            column_sums(values(&dy), &mut sums);
            vector(sums)
        });
        [of_product.then_some(dy), dbias]
    }
}
