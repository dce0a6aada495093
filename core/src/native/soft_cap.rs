//! Soft caps.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use menagerie_kernels::SoftCap;

use super::fused::{Fused, Input, run};
use super::memory::{changed, dense, own, together, values, values_mut};

/// `cap · tanh(x / cap)` of an `x` that [`fuses`](super::fuses).
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn soft_cap<const D: usize>(x: Tensor<D>, cap: f64) -> Tensor<D> {
    run(Cap(cap as f32), [Input::fused(x)])
}

#[derive(Debug, Clone, Copy)]
struct Cap(f32);

impl Fused<1> for Cap {
    /// The result.
    type Saved = FlexTensor;

    fn forward_saving(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        let cap = SoftCap::new(self.0);
        let y = changed(
            dense(x),
            |x| cap.forward_in_place(x),
            |x, y| {
                y.copy_from_slice(x);
                cap.forward_in_place(y);
            },
        );
        (y.clone(), y)
    }

    fn backward(&self, y: FlexTensor, dy: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let [y, dy] = together([y, dy]);
        let mut dx = own(dy);
        let over = values_mut(&mut dx).expect("nobody else holds it");
        SoftCap::new(self.0).backward_in_place(values(&y), over);
        [Some(dx)]
    }
}
