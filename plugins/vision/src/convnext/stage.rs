//! The parts of a ConvNeXt. A map of features lies as tokens, row by row, so that norms and linear
//! layers read it as it is.

use burn::module::{Initializer, Module, Param};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::{Activation, INITIALIZER_RANGE, LayerNorm, Linear, normal};

use crate::vit::PatchEmbedding;

/// Side of the depthwise kernel (section 2.5 of the paper).
const KERNEL: usize = 7;

/// Times that a block is wider inside than outside (section 2.4).
const MLP_RATIO: usize = 4;

/// Fresh scales of the residual branches (the paper's appendix A.1, and `ls_init_value` in timm).
const LAYER_SCALE: f64 = 1e-6;

/// `[batch, channel, height, width]` -> `[batch, token, channel]`, row by row.
pub(super) fn to_tokens(map: Tensor<4>) -> Tensor<3> {
    let [batch, channels, height, width] = map.dims();
    map.reshape([batch, channels, height * width])
        .swap_dims(1, 2)
}

/// `[batch, side · side, channel]` -> `[batch, channel, side, side]`
pub(super) fn to_map(tokens: Tensor<3>, side: usize) -> Tensor<4> {
    let [batch, _, channels] = tokens.dims();
    tokens
        .swap_dims(1, 2)
        .reshape([batch, channels, side, side])
}

/// Patches of the image, and a norm.
#[derive(Module, Debug)]
pub(super) struct Stem {
    patches: PatchEmbedding,
    norm: LayerNorm,
}

impl Stem {
    pub(super) fn new(hidden: usize, patch: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            patches: PatchEmbedding::new(hidden, patch, true, INITIALIZER_RANGE, device),
            norm: LayerNorm::new(hidden, epsilon, device),
        }
    }

    /// `[batch, 3, height, width]` -> `[batch, token, hidden]`
    pub(super) fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.norm.forward(self.patches.forward(pixels))
    }
}

/// Blocks of one width; all stages but the first halve the map before them.
#[derive(Module, Debug)]
pub(super) struct Stage {
    pub downsample: Option<Downsample>,
    pub blocks: Vec<Block>,
}

impl Stage {
    /// Of `depth` blocks; `before` is the width of the stage before.
    pub(super) fn new(
        before: Option<usize>,
        hidden: usize,
        depth: usize,
        epsilon: f64,
        device: &Device,
    ) -> Self {
        Self {
            downsample: before.map(|before| Downsample::new(before, hidden, epsilon, device)),
            blocks: (0..depth)
                .map(|_| Block::new(hidden, epsilon, device))
                .collect(),
        }
    }
}

/// A norm, and a convolution of 2 × 2 with stride 2.
#[derive(Module, Debug)]
pub(super) struct Downsample {
    norm: LayerNorm,
    patches: PatchEmbedding,
}

impl Downsample {
    fn new(before: usize, hidden: usize, epsilon: f64, device: &Device) -> Self {
        let std = INITIALIZER_RANGE;
        Self {
            norm: LayerNorm::new(before, epsilon, device),
            patches: PatchEmbedding::of_channels(before, hidden, 2, true, std, device),
        }
    }

    /// `[batch, side · side, before]` -> `[batch, (side / 2) · (side / 2), hidden]`
    pub(super) fn forward(&self, x: Tensor<3>, side: usize) -> Tensor<3> {
        self.patches.forward(to_map(self.norm.forward(x), side))
    }
}

/// `x + gamma · mlp(norm(depthwise(x)))`
#[derive(Module, Debug)]
pub(super) struct Block {
    depthwise: Depthwise,
    norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    /// `[hidden]`
    gamma: Param<Tensor<1>>,
}

impl Block {
    fn new(hidden: usize, epsilon: f64, device: &Device) -> Self {
        let inner = MLP_RATIO * hidden;
        let scale = Initializer::Constant { value: LAYER_SCALE };
        Self {
            depthwise: Depthwise::new(hidden, device),
            norm: LayerNorm::new(hidden, epsilon, device),
            fc1: Linear::new(hidden, inner, true, device),
            fc2: Linear::new(inner, hidden, true, device),
            gamma: scale.init([hidden], device),
        }
    }

    /// `[batch, side · side, hidden]` -> the same
    pub(super) fn forward(&self, x: Tensor<3>, side: usize) -> Tensor<3> {
        x.clone() + self.branch(x, side) * self.gamma.val().unsqueeze()
    }

    /// What is added to the residual, before its scale.
    pub(super) fn branch(&self, x: Tensor<3>, side: usize) -> Tensor<3> {
        let mixed = self.norm.forward(self.depthwise.forward(x, side));
        let inner = Activation::Gelu.forward(self.fc1.forward(mixed));
        self.fc2.forward(inner)
    }
}

/// A convolution of each feature with a kernel of its own; the map is padded with zeros.
#[derive(Module, Debug)]
struct Depthwise {
    /// `[hidden, 1, 7, 7]`
    weight: Param<Tensor<4>>,
    /// `[hidden]`
    bias: Param<Tensor<1>>,
}

impl Depthwise {
    fn new(hidden: usize, device: &Device) -> Self {
        Self {
            weight: normal(INITIALIZER_RANGE).init([hidden, 1, KERNEL, KERNEL], device),
            bias: Initializer::Zeros.init([hidden], device),
        }
    }

    /// `[batch, side · side, hidden]` -> the same
    fn forward(&self, x: Tensor<3>, side: usize) -> Tensor<3> {
        let [_, _, hidden] = x.dims();
        let options = ConvOptions::new([1, 1], [KERNEL / 2; 2], [1, 1], hidden);
        let (weight, bias) = (self.weight.val(), self.bias.val());
        to_tokens(conv2d(to_map(x, side), weight, Some(bias), options))
    }
}
