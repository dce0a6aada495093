//! The block of Phi-2.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::Context;
use menagerie_core::nn::{Activation, LayerNorm, Linear, in_parts};

use crate::attention::Attention;
use crate::rotary::Rotary;
use crate::shape::Shape;
use crate::transformer::{Block, Transformer};

/// `x + attention(norm(x)) + mlp(norm(x))`.
#[derive(Module, Debug)]
pub struct ParallelBlock {
    input_layernorm: LayerNorm,
    attention: Attention,
    mlp: Mlp,
}

impl Transformer<ParallelBlock> {
    pub(super) fn parallel(shape: &Shape, device: &Device) -> Self {
        let norm = || LayerNorm::new(shape.hidden_size, shape.norm_eps.1, device);
        let block = |index| ParallelBlock {
            input_layernorm: norm(),
            attention: Attention::new(shape, index, device),
            mlp: Mlp::new(shape, device),
        };
        Self::new(shape, block, norm(), device)
    }
}

impl Block for ParallelBlock {
    type Norm = LayerNorm;

    fn forward(
        &self,
        x: Tensor<3>,
        rotary: &Rotary,
        index: usize,
        context: &mut Context,
    ) -> Tensor<3> {
        let normed = self.input_layernorm.forward(x.clone());
        let attended = self
            .attention
            .forward(normed.clone(), rotary, index, context);
        attended + self.mlp.forward(normed) + x
    }

    fn finish(norm: &LayerNorm, x: Tensor<3>) -> Tensor<3> {
        norm.forward(x)
    }
}

/// `fc2(gelu(fc1(x)))`
#[derive(Module, Debug)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
}

impl Mlp {
    fn new(shape: &Shape, device: &Device) -> Self {
        let (hidden, intermediate) = (shape.hidden_size, shape.intermediate_size);
        let linear = |input, output| shape.linear(input, output, shape.biases.mlp, device);
        Self {
            fc1: linear(hidden, intermediate),
            fc2: linear(intermediate, hidden),
        }
    }

    /// `[batch, token, hidden]` -> the same
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        in_parts(&self.fc1, x, |x| {
            let inner = Activation::GeluTanh.forward(self.fc1.forward(x));
            self.fc2.forward(inner)
        })
    }
}
