//! Functions of every number.

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, gelu_approximate, sigmoid, silu};
use menagerie_kernels::Function;

use crate::native::{self, OnePass};

/// The function between two linear layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)`
    #[default]
    Silu,
    /// `x · sigmoid(1.702 x)`
    QuickGelu,
    /// `x · Φ(x)`, with the error function.
    Gelu,
    /// `x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`
    GeluTanh,
}

impl Activation {
    /// `f(x)`, of any shape.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        if native::fuses(&x) {
            return native::activate(self.kernel(), x);
        }
        native::one_pass(OnePass::Activation, x, |x| self.composed(x))
    }

    /// `f(gate) · x`, of one shape: the gate of SwiGLU and GeGLU (Shazeer 2020, arXiv 2002.05202).
    pub fn gate<const D: usize>(self, gate: Tensor<D>, x: Tensor<D>) -> Tensor<D> {
        if native::fuses(&gate) && native::fuses(&x) {
            return native::gate(self.kernel(), gate, x);
        }
        native::one_pass(OnePass::Gate, gate, |gate| self.composed(gate) * x)
    }

    /// By Burn's own operations.
    pub(super) fn composed<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Silu => silu(x),
            Self::QuickGelu => x.clone() * sigmoid(x.mul_scalar(1.702)),
            Self::Gelu => gelu(x),
            Self::GeluTanh => gelu_approximate(x),
        }
    }

    fn kernel(self) -> Function {
        match self {
            Self::Silu => Function::Silu,
            Self::QuickGelu => Function::QuickGelu,
            Self::Gelu => Function::Gelu,
            Self::GeluTanh => Function::GeluTanh,
        }
    }
}
