//! The gated MLP.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::{Activation, Linear, in_parts};

use crate::shape::Shape;

/// `down(activation(gate(x)) · up(x))` (SwiGLU and GeGLU, arXiv 2002.05202).
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    gate: Linear,
    up: Linear,
    down: Linear,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    pub(crate) fn new(shape: &Shape, device: &Device) -> Self {
        let (hidden, intermediate) = (shape.hidden_size, shape.intermediate_size);
        let linear = |input, output| shape.linear(input, output, shape.biases.mlp, device);
        Self {
            gate: linear(hidden, intermediate),
            up: linear(hidden, intermediate),
            down: linear(intermediate, hidden),
            activation: shape.variant.activation,
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        in_parts(&self.gate, x, |x| {
            let (gate, up) = (self.gate.forward(x.clone()), self.up.forward(x));
            self.down.forward(self.activation.gate(gate, up))
        })
    }
}
