//! Convolutions over a grid of tokens, stored and computed as PyTorch's `Conv2d`.

use burn::module::{Initializer, Module, Param};
use burn::tensor::module::{conv2d, linear};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use menagerie_core::TensorName;

use crate::grid::{image, tokens};

/// A side of [`Depthwise`]'s kernel.
const SIDE: usize = 3;

/// A kernel of 1 x 1: a linear map of every token.
#[derive(Module, Debug)]
pub(crate) struct Pointwise {
    /// `[out, in, 1, 1]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Option<Param<Tensor<1>>>,
}

impl Pointwise {
    /// Weights as `fresh` draws them and, if asked for, a bias of zeros.
    pub(crate) fn new(
        input: usize,
        output: usize,
        bias: bool,
        fresh: &Initializer,
        device: &Device,
    ) -> Self {
        Self {
            weight: fresh.init([output, input, 1, 1], device),
            bias: bias.then(|| Initializer::Zeros.init([output], device)),
        }
    }

    /// `[batch, token, in]` -> `[batch, token, out]`
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [output, input, _, _] = self.weight.lazy_shape().dims();
        let weight = self.weight.val().reshape([output, input]);
        linear(
            x,
            weight.swap_dims(0, 1),
            self.bias.as_ref().map(Param::val),
        )
    }
}

/// A kernel of 3 x 3 for every feature alone, over a border of one row or column of zeros.
#[derive(Module, Debug)]
pub(crate) struct Depthwise {
    /// `[feature, 1, 3, 3]`
    weight: Param<Tensor<4>>,
    /// `[feature]`
    bias: Option<Param<Tensor<1>>>,
}

impl Depthwise {
    /// Weights, and the bias if asked for, as `fresh` draws them.
    pub(crate) fn new(features: usize, bias: bool, fresh: &Initializer, device: &Device) -> Self {
        Self {
            weight: fresh.init([features, 1, SIDE, SIDE], device),
            bias: bias.then(|| fresh.init([features], device)),
        }
    }

    /// `[batch, rows · columns, feature]` -> the same
    pub(crate) fn forward(&self, x: Tensor<3>, grid: [usize; 2]) -> Tensor<3> {
        let [_, _, features] = x.dims();
        let bias = self.bias.as_ref().map(Param::val);
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], features);
        tokens(conv2d(image(x, grid), self.weight.val(), bias, options))
    }
}

/// A convolution at `path`, and its bias, if the module has one.
pub(crate) fn names(path: &str, key: &str) -> [TensorName; 2] {
    ["weight", "bias"]
        .map(|part| TensorName::as_is(&format!("{path}.{part}"), &format!("{key}.{part}")))
}
