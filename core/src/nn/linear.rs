//! The linear layer.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use super::{INITIALIZER_RANGE, normal};
use crate::lora::LowRank;
use crate::native;
use crate::packed::{Format, PackedWeight};

/// `y = x W + b`. The weight lies `[in, out]`; checkpoints store it transposed.
pub type Linear = PackableLinear;

/// [`Linear`], under a name that visitors of modules tell from other crates' linear layers: this one
/// computes with packed weights too (see [`crate::packed`]), and with weights of bf16 on activations of f32.
#[derive(Module, Debug)]
pub struct PackableLinear {
    /// `[in, out]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
}

impl PackableLinear {
    /// A layer with weights drawn from `N(0, 0.02²)` and, if asked for, a bias of zeros.
    #[must_use]
    pub fn new(input: usize, output: usize, bias: bool, device: &Device) -> Self {
        Self::with_std(input, output, bias, INITIALIZER_RANGE, device)
    }

    /// A layer with weights drawn from `N(0, std²)` and, if asked for, a bias of zeros.
    #[must_use]
    pub fn with_std(input: usize, output: usize, bias: bool, std: f64, device: &Device) -> Self {
        Self {
            weight: normal(std).init([input, output], device),
            bias: bias.then(|| Initializer::Zeros.init([output], device)),
        }
    }

    /// A layer with weight and bias drawn evenly from ±`1/√in`: PyTorch's own initialisation, which
    /// LLaVA's projector has.
    #[must_use]
    pub fn fan_in(input: usize, output: usize, device: &Device) -> Self {
        let bound = (input as f64).powf(-0.5);
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        Self {
            weight: uniform.init([input, output], device),
            bias: Some(uniform.init([output], device)),
        }
    }

    /// Whether its products are with a packed weight (see [`crate::packed`]).
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.packed().is_some()
    }

    fn packed(&self) -> Option<&PackedWeight> {
        PackedWeight::at(&self.weight)
    }

    /// Whether products with the weight round activations, as those of narrower weights on a CPU do.
    pub fn rounds(&self) -> bool {
        match self.packed() {
            Some(packed) => packed.format() != Format::F32,
            None => native::rounds(&self.weight.base()),
        }
    }

    /// `[…, in]` -> `[…, out]`, with the adapter that the weight may carry (see [`crate::lora`]), or with
    /// the packed weight (see [`crate::packed`]).
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(Param::val);
        if let Some(packed) = self.packed()
            && let Some(product) = packed.multiply(input.clone(), bias.clone())
        {
            return product;
        }
        let Some(adapter) = self.weight.reparameterization::<LowRank>() else {
            return product(input, self.weight.val(), bias);
        };
        // Two thin products in place of a sum as large as the weight, and of its gradient.
        let weight = adapter.base(self.weight.base());
        product(input.clone(), weight, bias) + adapter.forward(input)
    }
}

/// `input · weight + bias`, `weight` `[in, out]`. A weight of another type of number than the activations is
/// multiplied in its own, and summed in f32.
fn product<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    if let Some(product) = native::thin(&input, &weight, bias.as_ref()) {
        return product;
    }
    if input.dtype() != weight.dtype() || native::fuses(&input) {
        return with(bias, native::product(input, weight));
    }
    burn::tensor::module::linear(input, weight, bias)
}

/// `product + bias`, if there is one.
fn with<const D: usize>(bias: Option<Tensor<1>>, product: Tensor<D>) -> Tensor<D> {
    match bias {
        Some(bias) => native::add_bias(product, bias),
        None => product,
    }
}
