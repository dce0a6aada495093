//! Root-mean-square norms (Zhang and Sennrich 2019, arXiv 1910.07467).

use burn::module::{Initializer, Module, Param};
use burn::tensor::{DType, Device, Tensor};

/// `x / sqrt(mean(x²) + ε)` over the last dimension, in f32 whatever the input's dtype.
fn normalize<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    let x = x.cast(DType::F32);
    let mean_square = x.clone().square().mean_dim(D - 1);
    x / mean_square.add_scalar(epsilon).sqrt()
}

/// `x / sqrt(mean(x²) + ε) · gamma`, the fraction in f32.
#[derive(Module, Debug)]
pub struct RmsNorm {
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

    /// `[…, size]` -> the same
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let dtype = x.dtype();
        normalize(x, self.epsilon).cast(dtype) * self.gamma.val().unsqueeze()
    }
}

/// `x / sqrt(mean(x²) + ε) · (1 + gamma)`, all of it in f32: Gemma's, whose files hold the difference
/// to 1.
#[derive(Module, Debug)]
pub struct OffsetRmsNorm {
    gamma: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl OffsetRmsNorm {
    pub(crate) fn new(size: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Zeros.init([size], device),
            epsilon,
        }
    }

    /// `[…, size]` -> the same
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let dtype = x.dtype();
        let factor = self.gamma.val().cast(DType::F32).add_scalar(1.0);
        (normalize(x, self.epsilon) * factor.unsqueeze()).cast(dtype)
    }
}
