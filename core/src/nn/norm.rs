//! Norms over the last dimension.

use burn::module::{Initializer, Module, Param};
use burn::tensor::module::layer_norm;
use burn::tensor::{DType, Device, Tensor};

use crate::native::{self, OnePass};

/// Layer norm (Ba et al. 2016, arXiv 1607.06450).
///
/// `(x − mean) / sqrt(var + ε) · gamma + beta`, computed in f32 whatever the input's dtype. Burn's own
/// does so for f16 alone, and takes the mean and the variance of bf16 in bf16.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[size]`
    pub gamma: Param<Tensor<1>>,
    /// `[size]`
    pub beta: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    /// A norm over the last `size` features: `gamma` ones and `beta` zeros.
    #[must_use]
    pub fn new(size: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([size], device),
            beta: Initializer::Zeros.init([size], device),
            epsilon,
        }
    }

    /// `[…, size]` -> the same
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let parameters = [&self.gamma, &self.beta].map(Param::val);
        if native::fuses(&x) && parameters.iter().all(native::fuses) {
            return native::layer_norm(x, parameters, self.epsilon);
        }
        native::one_pass(OnePass::Norm, x, |x| self.composed(x, parameters))
    }

    /// By Burn's own operations.
    pub(super) fn composed<const D: usize>(
        &self,
        x: Tensor<D>,
        parameters: [Tensor<1>; 2],
    ) -> Tensor<D> {
        let dtype = x.dtype();
        let [gamma, beta] = parameters.map(|parameter| parameter.cast(DType::F32));
        layer_norm(x.cast(DType::F32), gamma, Some(beta), self.epsilon).cast(dtype)
    }
}

/// Root-mean-square norm (Zhang and Sennrich 2019, arXiv 1910.07467): `x / sqrt(mean(x²) + ε) · gamma`, the fraction in
/// f32 whatever the input's dtype.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[size]`
    pub gamma: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl RmsNorm {
    /// A norm over the last `size` features, with `gamma` ones.
    #[must_use]
    pub fn new(size: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([size], device),
            epsilon,
        }
    }

    /// `[…, size]` -> the same
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let gamma = self.gamma.val();
        if native::fuses(&x) && native::fuses(&gamma) {
            return native::rms_norm(x, gamma, self.epsilon, false);
        }
        native::one_pass(OnePass::Norm, x, |x| self.composed(x, gamma))
    }

    /// By Burn's own operations.
    pub(super) fn composed<const D: usize>(&self, x: Tensor<D>, gamma: Tensor<1>) -> Tensor<D> {
        let dtype = x.dtype();
        normalize(x, self.epsilon).cast(dtype) * gamma.unsqueeze()
    }
}

/// `x / sqrt(mean(x²) + ε) · (1 + gamma)`, all of it in f32: Gemma's, whose files hold the difference
/// to 1.
#[derive(Module, Debug)]
pub struct OffsetRmsNorm {
    /// `[size]`
    pub gamma: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl OffsetRmsNorm {
    /// A norm over the last `size` features, with `gamma` zeros.
    #[must_use]
    pub fn new(size: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Zeros.init([size], device),
            epsilon,
        }
    }

    /// `[…, size]` -> the same
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let gamma = self.gamma.val();
        if native::fuses(&x) && native::fuses(&gamma) {
            return native::rms_norm(x, gamma, self.epsilon, true);
        }
        native::one_pass(OnePass::Norm, x, |x| self.composed(x, gamma))
    }

    /// By Burn's own operations.
    pub(super) fn composed<const D: usize>(&self, x: Tensor<D>, gamma: Tensor<1>) -> Tensor<D> {
        let dtype = x.dtype();
        let factor = gamma.cast(DType::F32).add_scalar(1.0);
        (normalize(x, self.epsilon) * factor.unsqueeze()).cast(dtype)
    }
}

/// `x / sqrt(mean(x²) + ε)` over the last dimension, in f32 whatever the input's dtype.
fn normalize<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    let x = x.cast(DType::F32);
    let mean_square = x.clone().square().mean_dim(D - 1);
    x / mean_square.add_scalar(epsilon).sqrt()
}
