//! Layer norm (Ba et al. 2016, arXiv 1607.06450).

use burn::module::{Initializer, Module, Param};
use burn::tensor::module::layer_norm;
use burn::tensor::{DType, Device, Tensor};

/// `(x − mean) / sqrt(var + ε) · gamma + beta`, computed in f32 whatever the input's dtype. Burn's own
/// does so for f16 alone, and takes the mean and the variance of bf16 in bf16.
#[derive(Module, Debug)]
pub(crate) struct LayerNorm {
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    pub(crate) fn new(size: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([size], device),
            beta: Initializer::Zeros.init([size], device),
            epsilon,
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let dtype = x.dtype();
        let [gamma, beta] = [&self.gamma, &self.beta].map(|param| param.val().cast(DType::F32));
        layer_norm(x.cast(DType::F32), gamma, Some(beta), self.epsilon).cast(dtype)
    }
}
