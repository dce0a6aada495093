//! The gated MLP.

use burn::module::Module;
use burn::tensor::activation::{gelu_approximate, silu};
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::Linear;

use crate::shape::Shape;

/// The function of the gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `x · sigmoid(x)`
    #[default]
    Silu,
    /// `x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`
    GeluTanh,
}

impl Activation {
    pub(crate) fn forward(self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Silu => silu(x),
            Self::GeluTanh => gelu_approximate(x),
        }
    }
}

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
        let gate = self.activation.forward(self.gate.forward(x.clone()));
        self.down.forward(gate * self.up.forward(x))
    }
}
