//! Root-mean-square norm (Zhang and Sennrich 2019, arXiv 1910.07467).

use burn::module::{Initializer, Module, Param};
use burn::tensor::{DType, Device, Tensor};

/// `x / sqrt(mean(x²) + ε) · gamma`, computed in f32 whatever the input's dtype.
#[derive(Module, Debug)]
pub(crate) struct RmsNorm {
    gamma: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl RmsNorm {
    pub(crate) fn new(size: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([size], device),
            epsilon,
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let dtype = x.dtype();
        let x = x.cast(DType::F32);
        let mean_square = x.clone().square().mean_dim(2);
        let normed = x / mean_square.add_scalar(self.epsilon).sqrt();
        normed.cast(dtype) * self.gamma.val().unsqueeze()
    }
}
