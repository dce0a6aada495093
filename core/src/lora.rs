//! LoRA (Hu et al. 2021, arXiv 2106.09685): a low-rank part beside a weight that stays as it is.
//!
//! A weight `W` with an adapter counts as `W + scale · A B`. The factors hang on the weight's own
//! parameter, so visitors and mappers see them right after it as `….weight.lora.a` and
//! `….weight.lora.b`, through a [`Slot`](crate::slot::Slot) too: an optimizer, a freeze or a
//! checkpoint needs to know nothing of them. [`Linear`](crate::nn::Linear) computes
//! `x W + scale · (x A) B`; a layer of a plugin's own that asks its parameter for the value gets
//! the sum.

mod attach;
mod dropout;
mod quantized;
mod targets;

pub use attach::{Factors, Form, attach, carry, factors, merge};
pub use dropout::Passes;
pub use quantized::Quantized;
pub(crate) use targets::targets;
pub use targets::{Target, is_factor, weight_of};

use burn::module::{Module, Param, Reparameterization};
use burn::tensor::{DType, Tensor};

use dropout::Dropout;

/// The low-rank part of one weight.
#[derive(Module, Debug)]
pub struct LowRank {
    /// A, down: `[in, rank]`
    a: Param<Tensor<2>>,
    /// B, up: `[rank, out]`
    b: Param<Tensor<2>>,
    /// The weight itself, where it is kept quantised; its parameter is then a stand-in.
    base: Option<Quantized>,
    #[module(skip)]
    scale: f64,
    #[module(skip)]
    dropout: Option<Dropout>,
}

impl LowRank {
    /// `scale · (drop(x) A) B`: `[…, in]` -> `[…, out]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let input = match &self.dropout {
            Some(dropout) => dropout.forward(input),
            None => input,
        };
        let down = burn::tensor::module::linear(input, self.a.val(), None);
        burn::tensor::module::linear(down, self.b.val(), None).mul_scalar(self.scale)
    }

    /// The weight without the low-rank part, `[in, out]`, given what its parameter holds.
    pub fn base(&self, held: Tensor<2>) -> Tensor<2> {
        match &self.base {
            Some(quantized) => quantized.weight(),
            None => held,
        }
    }
}

impl Reparameterization for LowRank {
    const NAME: &'static str = "lora";

    /// `W + scale · A B`, summed in f32 and rounded to the weight's type of number.
    fn apply<const D: usize>(&self, held: Tensor<D>) -> Tensor<D> {
        let (shape, dtype) = (held.shape(), held.dtype());
        let base = match &self.base {
            Some(quantized) => quantized.weight().reshape(shape.clone()),
            None => held,
        };
        let wide = |factor: &Param<Tensor<2>>| as_dtype(factor.val(), DType::F32);
        let product = wide(&self.a).matmul(wide(&self.b)).mul_scalar(self.scale);
        as_dtype(as_dtype(base, DType::F32) + product.reshape(shape), dtype)
    }
}

fn as_dtype<const D: usize>(tensor: Tensor<D>, dtype: DType) -> Tensor<D> {
    if tensor.dtype() == dtype {
        return tensor;
    }
    tensor.cast(dtype)
}
