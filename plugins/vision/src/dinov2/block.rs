//! A block of DINOv2: each branch of the residual stream has a scale of its own.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::{Activation, LayerNorm, Linear, in_parts};

use crate::vit::{Attention, BlockSizes};

/// `x + scale · attention(norm(x))`, then `x + scale · mlp(norm(x))`.
#[derive(Module, Debug)]
pub(super) struct Block {
    pub layer_norm1: LayerNorm,
    pub attention: Attention,
    pub layer_scale1: LayerScale,
    pub layer_norm2: LayerNorm,
    pub mlp: Mlp,
    pub layer_scale2: LayerScale,
}

impl Block {
    /// With `gated`, the MLP is a SwiGLU of `sizes.intermediate` inner features.
    pub(super) fn new(sizes: BlockSizes, gated: bool, device: &Device) -> Self {
        Self {
            layer_norm1: sizes.layer_norm(device),
            attention: Attention::new(sizes, device),
            layer_scale1: LayerScale::new(sizes.hidden, device),
            layer_norm2: sizes.layer_norm(device),
            mlp: Mlp::new(sizes, gated, device),
            layer_scale2: LayerScale::new(sizes.hidden, device),
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let attended = self.attention.forward(self.layer_norm1.forward(x.clone()));
        let x = x + self.layer_scale1.forward(attended);
        let mapped = self.mlp.forward(self.layer_norm2.forward(x.clone()));
        x + self.layer_scale2.forward(mapped)
    }
}

/// `gamma · x` (Touvron et al. 2021, arXiv 2103.17239).
#[derive(Module, Debug)]
pub(super) struct LayerScale {
    /// `[hidden]`
    gamma: Param<Tensor<1>>,
}

impl LayerScale {
    /// A scale of ones, the `layerscale_value` of the published configs.
    fn new(hidden: usize, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([hidden], device),
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        x * self.gamma.val().unsqueeze()
    }
}

/// `fc2(gelu(fc1(x)))`, or SwiGLU (Shazeer 2020, arXiv 2002.05202): `fc2(silu(gate) · value)`, where
/// `gate` and `value` are the halves of `fc1(x)`.
#[derive(Module, Debug)]
pub(super) struct Mlp {
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    gated: bool,
}

impl Mlp {
    fn new(sizes: BlockSizes, gated: bool, device: &Device) -> Self {
        let (hidden, inner) = (sizes.hidden, sizes.intermediate);
        let outputs = if gated { 2 * inner } else { inner };
        Self {
            fc1: Linear::with_std(hidden, outputs, true, sizes.std.fc1, device),
            fc2: Linear::with_std(inner, hidden, true, sizes.std.fc2, device),
            gated,
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        in_parts(&self.fc1, x, |x| {
            let inner = self.fc1.forward(x);
            let inner = if self.gated {
                let [_, _, width] = inner.dims();
                let half = |start| inner.clone().narrow(2, start, width / 2);
                Activation::Silu.gate(half(0), half(width / 2))
            } else {
                Activation::Gelu.forward(inner)
            };
            self.fc2.forward(inner)
        })
    }
}
