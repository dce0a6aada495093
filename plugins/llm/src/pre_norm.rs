//! The block of LLaMA (Touvron et al. 2023, arXiv 2302.13971) and its kin.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::Context;
use menagerie_core::nn::RmsNorm;

use crate::attention::Attention;
use crate::mlp::Mlp;
use crate::rotary::Rotary;
use crate::shape::Shape;
use crate::transformer::{Block, Transformer};

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Module, Debug)]
pub struct PreNorm {
    pub(crate) input_layernorm: RmsNorm,
    pub(crate) attention: Attention,
    pub(crate) post_attention_layernorm: RmsNorm,
    pub(crate) mlp: Mlp,
}

impl Transformer<PreNorm> {
    /// A decoder of LLaMA's make.
    pub(crate) fn pre_norm(shape: &Shape, device: &Device) -> Self {
        let norm = || RmsNorm::new(shape.hidden_size, shape.norm_eps.1, device);
        let block = |index| PreNorm {
            input_layernorm: norm(),
            attention: Attention::new(shape, index, device),
            post_attention_layernorm: norm(),
            mlp: Mlp::new(shape, device),
        };
        Self::new(shape, block, norm(), device)
    }
}

impl Block for PreNorm {
    type Norm = RmsNorm;

    fn forward(
        &self,
        x: Tensor<3>,
        rotary: &Rotary,
        index: usize,
        context: &mut Context,
    ) -> Tensor<3> {
        let normed = self.input_layernorm.forward(x.clone());
        let x = x + self.attention.forward(normed, rotary, index, context);
        x.clone() + self.mlp.forward(self.post_attention_layernorm.forward(x))
    }

    fn finish(norm: &RmsNorm, x: Tensor<3>) -> Tensor<3> {
        norm.forward(x)
    }
}
