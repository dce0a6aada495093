//! The parts that vision transformers share.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};
use menagerie_core::attention::{Attend, attention};
use menagerie_core::nn::{self, LayerNorm, Linear, in_parts, join_heads, normal, split_heads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The function between the two linear layers of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · sigmoid(1.702 x)`, as OpenAI's CLIP was trained.
    QuickGelu,
    /// `x · Φ(x)`, with the error function.
    Gelu,
    /// `x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`, as SigLIP was trained.
    GeluPytorchTanh,
}

impl Activation {
    pub(crate) fn forward(self, x: Tensor<3>) -> Tensor<3> {
        let function = match self {
            Self::QuickGelu => nn::Activation::QuickGelu,
            Self::Gelu => nn::Activation::Gelu,
            Self::GeluPytorchTanh => nn::Activation::GeluTanh,
        };
        function.forward(x)
    }
}

/// The sizes of a block, and how its weights are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockSizes {
    /// Standard deviations of fresh weights.
    pub std: BlockStd,
    pub hidden: usize,
    pub intermediate: usize,
    pub heads: usize,
    pub layer_norm_eps: f64,
    pub activation: Activation,
}

/// Standard deviations of a block's fresh weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockStd {
    pub query_key_value: f64,
    pub output: f64,
    pub fc1: f64,
    pub fc2: f64,
}

impl BlockSizes {
    pub(crate) fn layer_norm(self, device: &Device) -> LayerNorm {
        LayerNorm::new(self.hidden, self.layer_norm_eps, device)
    }
}

/// Cuts an image or a map of features into patches and maps each to a vector: a convolution whose
/// stride is its kernel.
#[derive(Module, Debug)]
pub(crate) struct PatchEmbedding {
    /// `[hidden, channel, patch, patch]`
    weight: Param<Tensor<4>>,
    /// `[hidden]`
    bias: Option<Param<Tensor<1>>>,
}

impl PatchEmbedding {
    /// For the three channels of an image; weights drawn from `N(0, std²)` and, if asked for, a bias
    /// of zeros.
    pub(crate) fn new(hidden: usize, patch: usize, bias: bool, std: f64, device: &Device) -> Self {
        Self::of_channels(3, hidden, patch, bias, std, device)
    }

    /// As [`PatchEmbedding::new`], for any number of channels.
    pub(crate) fn of_channels(
        channels: usize,
        hidden: usize,
        patch: usize,
        bias: bool,
        std: f64,
        device: &Device,
    ) -> Self {
        Self {
            weight: normal(std).init([hidden, channels, patch, patch], device),
            bias: bias.then(|| Initializer::Zeros.init([hidden], device)),
        }
    }

    /// `[batch, channel, height, width]` -> `[batch, patch, hidden]`, patches row by row. Pixels
    /// beyond the last whole patch on the right and below are left out.
    pub(crate) fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let [hidden, channels, patch, _] = self.weight.lazy_shape().dims();
        let [batch, _, height, width] = pixels.dims();
        let (rows, columns) = (height / patch, width / patch);
        let patch_size = channels * patch * patch;
        let patches = pixels
            .narrow(2, 0, rows * patch)
            .narrow(3, 0, columns * patch)
            .reshape([batch, channels, rows, patch, columns, patch])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch, rows * columns, patch_size]);
        let kernel = self.weight.val().reshape([1, hidden, patch_size]);
        let embedded = patches.matmul(kernel.swap_dims(1, 2));
        match &self.bias {
            Some(bias) => embedded + bias.val().unsqueeze(),
            None => embedded,
        }
    }
}

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Module, Debug)]
pub(crate) struct Block {
    pub layer_norm1: LayerNorm,
    pub attention: Attention,
    pub layer_norm2: LayerNorm,
    pub mlp: Mlp,
}

impl Block {
    pub(crate) fn new(sizes: BlockSizes, device: &Device) -> Self {
        Self {
            layer_norm1: sizes.layer_norm(device),
            attention: Attention::new(sizes, device),
            layer_norm2: sizes.layer_norm(device),
            mlp: Mlp::new(sizes, device),
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.attention.forward(self.layer_norm1.forward(x));
        x.clone() + self.mlp.forward(self.layer_norm2.forward(x))
    }
}

/// Every token attends to every token.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    pub(crate) fn new(sizes: BlockSizes, device: &Device) -> Self {
        let linear = |std| Linear::with_std(sizes.hidden, sizes.hidden, true, std, device);
        Self {
            query: linear(sizes.std.query_key_value),
            key: linear(sizes.std.query_key_value),
            value: linear(sizes.std.query_key_value),
            output: linear(sizes.std.output),
            heads: sizes.heads,
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let query = split_heads(self.query.forward(x.clone()), self.heads);
        let key = split_heads(self.key.forward(x.clone()), self.heads);
        let value = split_heads(self.value.forward(x), self.heads);
        let [_, _, _, head_dim] = query.dims();
        let attend = Attend::from((head_dim as f64).powf(-0.5)).rounded(self.query.rounds());
        self.output
            .forward(join_heads(attention(query, key, value, attend)))
    }
}

/// `fc2(activation(fc1(x)))`
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    fn new(sizes: BlockSizes, device: &Device) -> Self {
        Self {
            fc1: Linear::with_std(
                sizes.hidden,
                sizes.intermediate,
                true,
                sizes.std.fc1,
                device,
            ),
            fc2: Linear::with_std(
                sizes.intermediate,
                sizes.hidden,
                true,
                sizes.std.fc2,
                device,
            ),
            activation: sizes.activation,
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        in_parts(&self.fc1, x, |x| {
            let inner = self.activation.forward(self.fc1.forward(x));
            self.fc2.forward(inner)
        })
    }
}
