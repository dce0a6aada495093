//! The block of Gemma 2.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::Context;
use menagerie_core::nn::OffsetRmsNorm;

use crate::attention::Attention;
use crate::mlp::Mlp;
use crate::rotary::Rotary;
use crate::shape::Shape;
use crate::transformer::{Block, Transformer};

/// `x + norm(attention(norm(x)))`, then `x + norm(mlp(norm(x)))`.
#[derive(Module, Debug)]
pub struct SandwichBlock {
    input_layernorm: OffsetRmsNorm,
    attention: Attention,
    post_attention_layernorm: OffsetRmsNorm,
    pre_feedforward_layernorm: OffsetRmsNorm,
    mlp: Mlp,
    post_feedforward_layernorm: OffsetRmsNorm,
}

impl Transformer<SandwichBlock> {
    pub(super) fn sandwich(shape: &Shape, device: &Device) -> Self {
        let norm = || OffsetRmsNorm::new(shape.hidden_size, shape.norm_eps.1, device);
        let block = |index| SandwichBlock {
            input_layernorm: norm(),
            attention: Attention::new(shape, index, device),
            post_attention_layernorm: norm(),
            pre_feedforward_layernorm: norm(),
            mlp: Mlp::new(shape, device),
            post_feedforward_layernorm: norm(),
        };
        Self::new(shape, block, norm(), device)
    }
}

impl Block for SandwichBlock {
    type Norm = OffsetRmsNorm;

    fn forward(
        &self,
        x: Tensor<3>,
        rotary: &Rotary,
        index: usize,
        context: &mut Context,
    ) -> Tensor<3> {
        let normed = self.input_layernorm.forward(x.clone());
        let attended = self.attention.forward(normed, rotary, index, context);
        let x = x + self.post_attention_layernorm.forward(attended);
        let normed = self.pre_feedforward_layernorm.forward(x.clone());
        x + self
            .post_feedforward_layernorm
            .forward(self.mlp.forward(normed))
    }

    fn finish(norm: &OffsetRmsNorm, x: Tensor<3>) -> Tensor<3> {
        norm.forward(x)
    }
}
