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

pub use attach::{Factors, Form, attach, carry, factors, merge, sketch};
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::tensor::Device;

    use super::*;
    use crate::component::Component;
    use crate::nn::Linear;
    use crate::parameters::parameters;
    use crate::recipe::{FreezePattern, LoraTable, Quantize};
    use crate::testing::normal;

    /// A plugin's module: a layer of core's, and one of its own that knows nothing of adapters.
    #[derive(Module, Debug)]
    struct Plugin {
        linear: Linear,
        own: Param<Tensor<2>>,
    }

    impl Plugin {
        fn forward(&self, x: Tensor<2>) -> Tensor<2> {
            self.linear.forward(x).matmul(self.own.val())
        }
    }

    fn adapted(
        device: &Device,
        dropout: f64,
        quantize: Option<Quantize>,
    ) -> (Plugin, Plugin, Passes) {
        let plain = Plugin {
            linear: Linear::new(5, 7, true, device),
            own: Param::from_tensor(normal([7, 3])),
        };
        let table = LoraTable {
            rank: 2,
            alpha: 3.0,
            dropout,
            on: vec![FreezePattern::parse("llm").expect("a pattern")],
            quantize,
        };
        let target = |path: &str, input, output| Target {
            component: Component::Llm,
            path: path.to_owned(),
            module: path.to_owned(),
            input,
            output,
        };
        let targets = [target("linear.weight", 5, 7), target("own", 7, 3)];
        let factors: Factors = targets
            .iter()
            .map(|t| {
                (
                    t.path.clone(),
                    [normal([t.input, 2]), normal([2, t.output])],
                )
            })
            .collect();
        let passes = Passes::default();
        let form = Form {
            table: &table,
            quantize,
            dtype: DType::F32,
            seed: 1,
            passes: passes.clone(),
        };
        let adapted = attach(plain.clone(), &targets, &form, &factors);
        (plain, adapted, passes)
    }

    fn off(a: Tensor<2>, b: Tensor<2>) -> f32 {
        (a - b).abs().max().into_scalar()
    }

    #[test]
    fn any_layer_computes_as_if_the_product_were_in_its_weight() {
        let device = Device::flex();
        let (plain, adapted, _) = adapted(&device, 0.0, None);
        let paths: Vec<String> = parameters(&adapted)
            .into_iter()
            .map(|info| info.path)
            .collect();
        let expected = [
            "linear.weight",
            "linear.weight.lora.a",
            "linear.weight.lora.b",
            "linear.bias",
            "own",
            "own.lora.a",
            "own.lora.b",
        ];
        assert_eq!(paths, expected);

        let factors: BTreeMap<_, _> = factors(&adapted);
        let sum = |weight: &Param<Tensor<2>>, path: &str| {
            let [a, b] = factors[path].clone();
            Param::from_tensor(weight.val() + a.matmul(b).mul_scalar(1.5))
        };
        let by_hand = Plugin {
            own: sum(&plain.own, "own"),
            linear: Linear {
                weight: sum(&plain.linear.weight, "linear.weight"),
                bias: plain.linear.bias.clone(),
            },
        };
        let x = normal([4, 5]);
        let expected = by_hand.forward(x.clone());
        assert!(off(adapted.forward(x.clone()), expected.clone()) < 1e-4);
        let merged = merge(adapted.clone());
        assert_eq!(parameters(&merged).len(), 3);
        assert!(off(merged.forward(x.clone()), expected) < 1e-4);
        // Taken off again, what lay under it is there, to the bit.
        let bare = carry(&adapted, plain.clone(), is_factor);
        assert_eq!(off(bare.forward(x.clone()), plain.forward(x)), 0.0);
    }

    #[test]
    fn quantised_weights_count_in_any_layer() {
        let device = Device::flex();
        let (_, dense, _) = adapted(&device, 0.0, None);
        let table = |kind| {
            let (plain, adapted, _) = adapted(&device, 0.0, Some(kind));
            let x = normal([4, 5]);
            // Without the low-rank part, which both have.
            let [a, b] = factors(&adapted)["linear.weight"].clone();
            let linear = x.clone().matmul(a).matmul(b).mul_scalar(1.5);
            let found = adapted.linear.forward(x.clone()) - linear;
            let expected = plain.linear.forward(x);
            let size: f32 = expected.clone().abs().max().into_scalar();
            off(found, expected) / size
        };
        assert!(table(Quantize::Q8) < 0.02);
        assert!(table(Quantize::Nf4) < 0.3);
        assert_eq!(parameters(&dense).len(), 7);
    }

    #[test]
    fn dropout_follows_from_the_pass_alone() {
        let device = Device::flex();
        let (_, adapted, passes) = adapted(&device, 0.5, None);
        let x = normal([40, 5]);
        let forward = || adapted.linear.forward(x.clone());
        let whole = forward();
        passes.begin(1);
        let one = forward();
        assert_eq!(
            off(one.clone(), forward()),
            0.0,
            "a pass that is computed again"
        );
        passes.begin(2);
        assert!(off(one.clone(), forward()) > 0.0);
        passes.begin(1);
        assert_eq!(off(one.clone(), forward()), 0.0);
        assert!(off(one, whole.clone()) > 0.0);
        passes.end();
        assert_eq!(
            off(whole, forward()),
            0.0,
            "nothing is dropped outside of a pass"
        );
    }
}
