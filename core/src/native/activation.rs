//! Activations, with a gate or without.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use menagerie_kernels::{Activation, Function};

use super::fused::{Fused, Input, run};
use super::memory::{changed, dense, filled, together, values, values_mut};

/// `function(x)` of an `x` that [`fuses`](super::fuses).
pub(crate) fn activate<const D: usize>(function: Function, x: Tensor<D>) -> Tensor<D> {
    run(Activate(Activation::new(function)), [Input::fused(x)])
}

/// `function(gate) · up` of tensors that [`fuses`](super::fuses) holds for.
pub(crate) fn gate<const D: usize>(
    function: Function,
    gate: Tensor<D>,
    up: Tensor<D>,
) -> Tensor<D> {
    let inputs = [gate, up].map(Input::fused);
    run(Gate(Activation::new(function)), inputs)
}

#[derive(Debug, Clone, Copy)]
struct Activate(Activation);

impl Fused<1> for Activate {
    /// What the function was given.
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1]) -> FlexTensor {
        changed(
            dense(x),
            |x| self.0.forward_in_place(x),
            |x, y| self.0.forward(x, y),
        )
    }

    fn forward_saving(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        let x = dense(x);
        (filled(&x, |y| self.0.forward(values(&x), y)), x)
    }

    fn backward(&self, x: FlexTensor, dy: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let [x, dy] = together([x, dy]);
        let x = values(&x);
        let dx = changed(
            dy,
            |dy| self.0.backward_in_place(x, dy),
            |dy, dx| self.0.backward(x, dy, dx),
        );
        [Some(dx)]
    }
}

#[derive(Debug, Clone, Copy)]
struct Gate(Activation);

impl Fused<2> for Gate {
    /// Gate and values.
    type Saved = [FlexTensor; 2];

    fn forward(&self, inputs: [FlexTensor; 2]) -> FlexTensor {
        let [gate, up] = together(inputs);
        let up = values(&up);
        changed(
            gate,
            |gate| self.0.gate_in_place(gate, up),
            |gate, y| self.0.gate(gate, up, y),
        )
    }

    fn forward_saving(&self, inputs: [FlexTensor; 2]) -> (FlexTensor, [FlexTensor; 2]) {
        let [gate, up] = together(inputs);
        let y = filled(&gate, |y| self.0.gate(values(&gate), values(&up), y));
        (y, [gate, up])
    }

    fn backward(
        &self,
        [gate, up]: [FlexTensor; 2],
        dy: FlexTensor,
        [of_gate, of_up]: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let [mut gate, mut up, dy] = together([gate, up, dy]);
        let dy = values(&dy);
        if let (Some(gate), Some(up)) = (values_mut(&mut gate), values_mut(&mut up)) {
            self.0.gate_backward_in_place(gate, up, dy);
        } else {
            let (read_gate, read_up) = (values(&gate), values(&up));
            let mut dup = filled(&up, |_| ());
            let write_up = values_mut(&mut dup).expect("it is new");
            let dgate = filled(&gate, |dgate| {
                self.0
                    .gate_backward(read_gate, read_up, dy, dgate, write_up);
            });
            (gate, up) = (dgate, dup);
        }
        [of_gate.then_some(gate), of_up.then_some(up)]
    }
}
