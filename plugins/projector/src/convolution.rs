//! Convolutions over a grid of tokens, features last: as PyTorch's `Conv2d` stores and computes
//! them, without a copy into images.

use burn::module::{Initializer, Module, Param};
use burn::tensor::module::linear;
use burn::tensor::ops::PadMode;
use burn::tensor::{DType, Device, Tensor, s};
use menagerie_core::TensorName;

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

    /// `[batch, rows · columns, feature]` -> the same, summed in f32 whatever the dtype.
    ///
    /// Nine products with the shifted grid. Burn's convolution in groups computes the same, but on
    /// the way back it goes through the groups one by one, and here each feature is one.
    pub(crate) fn forward(&self, x: Tensor<3>, [rows, columns]: [usize; 2]) -> Tensor<3> {
        let [batch, tokens, features] = x.dims();
        let dtype = x.dtype();
        let padded = x
            .cast(DType::F32)
            .reshape([batch, rows, columns, features])
            .pad([(1, 1), (1, 1), (0, 0)], PadMode::Constant(0.0));
        let kernel = self.weight.val().cast(DType::F32);
        let kernel = kernel.reshape([features, SIDE * SIDE]).swap_dims(0, 1);
        let product = |tap: usize| {
            let (row, column) = (tap / SIDE, tap % SIDE);
            let shifted =
                padded
                    .clone()
                    .slice(s![.., row..row + rows, column..column + columns, ..]);
            let weight = kernel.clone().narrow(0, tap, 1);
            shifted * weight.reshape([1, 1, 1, features])
        };
        let sum = (1..SIDE * SIDE).fold(product(0), |sum, tap| sum + product(tap));
        let sum = sum.reshape([batch, tokens, features]).cast(dtype);
        match &self.bias {
            Some(bias) => sum + bias.val().unsqueeze(),
            None => sum,
        }
    }
}

/// A convolution at `path`, and its bias, if the module has one.
pub(crate) fn names(path: &str, key: &str) -> [TensorName; 2] {
    ["weight", "bias"]
        .map(|part| TensorName::as_is(&format!("{path}.{part}"), &format!("{key}.{part}")))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;
    use menagerie_core::nn::normal;
    use menagerie_core::testing::assert_close;

    use super::*;

    #[test]
    fn a_depthwise_convolution_is_burns_in_groups() {
        let device = Device::flex();
        let depthwise = Depthwise::new(3, true, &normal(1.0), &device);
        let x = Tensor::<3>::random([2, 20, 3], Distribution::Normal(0.0, 1.0), &device);
        let image = x.clone().swap_dims(1, 2).reshape([2, 3, 4, 5]);
        let bias = depthwise.bias.as_ref().map(Param::val);
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 3);
        let expected = conv2d(image, depthwise.weight.val(), bias, options);
        let expected = expected.reshape([2, 3, 20]).swap_dims(1, 2);
        let found = depthwise.forward(x, [4, 5]);
        assert_close("depthwise", found, expected, 1e-5);
    }
}
