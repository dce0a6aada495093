//! Layers on a CPU, as one pass and as Burn's own operations, of random numbers.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor};

use super::*;
use crate::attention::{composed_soft_cap, soft_cap};
use crate::testing::{assert_close, normal};

fn draw<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    normal(shape).mul_scalar(1.5)
}

/// How the input lies in memory.
#[derive(Debug, Clone, Copy)]
enum Lies {
    InOrder,
    /// Every token's heads side by side.
    ByToken,
    /// Between other numbers.
    Cut,
}

impl Lies {
    fn of(self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, _, width] = x.dims();
        match self {
            // Of its own memory, for what writes over it.
            Self::InOrder => x.mul_scalar(1.0),
            Self::ByToken => x.swap_dims(1, 2).mul_scalar(1.0).swap_dims(1, 2),
            Self::Cut => Tensor::cat(vec![x.clone(), x], 3).narrow(3, 0, width),
        }
    }
}

/// Compares results and all gradients, in every layout, with and without others that hold the inputs.
#[allow(clippy::needless_pass_by_value)]
fn check<const N: usize>(
    what: &str,
    inputs: [Tensor<4>; N],
    one_pass: impl Fn([Tensor<4>; N]) -> Tensor<4>,
    composed: impl Fn([Tensor<4>; N]) -> Tensor<4>,
) {
    for lies in [Lies::InOrder, Lies::ByToken, Lies::Cut] {
        for is_held in [false, true] {
            let what = format!("{what}, {lies:?}, held: {is_held}");
            let run = |layer: &dyn Fn([Tensor<4>; N]) -> Tensor<4>, inputs: [Tensor<4>; N]| {
                let given = inputs.map(|x| lies.of(x));
                let others = is_held.then(|| given.clone());
                let before = others.clone().map(|others| others.map(Tensor::into_data));
                let out = layer(given);
                if let (Some(others), Some(before)) = (others, before) {
                    for (other, before) in others.into_iter().zip(before) {
                        assert_eq!(other.into_data(), before, "{what}: written over");
                    }
                }
                out
            };
            let expected = run(&composed, inputs.clone());
            let weights = draw(expected.dims());
            assert_close(&what, run(&one_pass, inputs.clone()), expected, 1e-5);
            let gradients = |layer: &dyn Fn([Tensor<4>; N]) -> Tensor<4>| {
                let leaves = inputs.clone().map(|x| x.autodiff().require_grad());
                let out = run(layer, leaves.clone());
                let gradients = (out * weights.clone().autodiff()).sum().backward();
                leaves.map(|leaf: Tensor<4>| leaf.grad(&gradients).expect("a gradient"))
            };
            let found = gradients(&one_pass).into_iter();
            for (place, (found, expected)) in found.zip(gradients(&composed)).enumerate() {
                let what = format!("{what}: gradient {place}");
                assert_close(&what, found, expected, 1e-4);
            }
        }
    }
}

/// A vector that travels as four axes.
fn vector(x: Tensor<4>) -> Tensor<1> {
    let [.., width] = x.dims();
    x.reshape([width])
}

/// A parameter that is computed from others.
fn param<const D: usize>(x: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(ParamId::new(), x)
}

#[test]
fn norms_in_one_pass_equal_their_formulas() {
    let device = Device::flex();
    for shape in [[2, 3, 5, 37], [1, 1, 1, 64], [3, 2, 1, 1]] {
        let [.., width] = shape;
        let [x, gamma, beta] = [shape, [1, 1, 1, width], [1, 1, 1, width]].map(draw);
        let inputs = || [x.clone(), gamma.clone()];
        let norm = RmsNorm::new(width, 1e-5, &device);
        check(
            "root mean square",
            inputs(),
            |[x, gamma]| {
                let mut norm = norm.clone();
                norm.gamma = param(vector(gamma));
                norm.forward(x)
            },
            |[x, gamma]| norm.composed(x, vector(gamma)),
        );
        let norm = OffsetRmsNorm::new(width, 1e-6, &device);
        check(
            "root mean square with an offset",
            inputs(),
            |[x, gamma]| {
                let mut norm = norm.clone();
                norm.gamma = param(vector(gamma));
                norm.forward(x)
            },
            |[x, gamma]| norm.composed(x, vector(gamma)),
        );
        let norm = LayerNorm::new(width, 1e-3, &device);
        check(
            "layer",
            [x.clone(), gamma.clone(), beta],
            |[x, gamma, beta]| {
                let mut norm = norm.clone();
                [norm.gamma, norm.beta] = [gamma, beta].map(vector).map(param);
                norm.forward(x)
            },
            |[x, gamma, beta]| norm.composed(x, [vector(gamma), vector(beta)]),
        );
    }
}

#[test]
fn activations_in_one_pass_equal_their_formulas() {
    let inputs = [[2, 3, 5, 37]; 2].map(draw);
    for function in [
        Activation::Silu,
        Activation::QuickGelu,
        Activation::Gelu,
        Activation::GeluTanh,
    ] {
        check(
            &format!("{function:?}"),
            [inputs[0].clone()],
            |[x]| function.forward(x),
            |[x]| function.composed(x),
        );
        check(
            &format!("{function:?} as a gate"),
            inputs.clone(),
            |[gate, x]| function.gate(gate, x),
            |[gate, x]| function.composed(gate) * x,
        );
    }
}

#[test]
fn a_soft_cap_in_one_pass_equals_its_formula() {
    check(
        "soft cap",
        [draw([2, 3, 5, 37]).mul_scalar(4.0)],
        |[x]| soft_cap(x, 3.0),
        |[x]| composed_soft_cap(x, 3.0),
    );
}

#[test]
fn rotary_positions_in_one_pass_equal_their_formula() {
    let (batch, heads, tokens, width) = (2, 3, 5, 10);
    for half in [5, 2] {
        let angles = draw([batch, 1, tokens, half]);
        let (cos, sin) = (angles.clone().cos(), angles.sin());
        let given = || (cos.clone(), sin.clone());
        check(
            &format!("{half} pairs"),
            [draw([batch, heads, tokens, width])],
            |[x]| turn_halves(x, given().0, given().1),
            |[x]| rotary::composed(x, given().0, given().1),
        );
    }
}

#[test]
fn a_bias_is_added_as_burn_adds_it() {
    let inputs = [[2, 3, 5, 7], [1, 1, 7, 11], [1, 1, 1, 11]].map(draw);
    let matrix = |x: Tensor<4>| -> Tensor<2> {
        let [.., rows, columns] = x.dims();
        x.reshape([rows, columns])
    };
    check(
        "linear",
        inputs,
        |[x, weight, bias]| {
            let weight = param(matrix(weight));
            let bias = Some(param(vector(bias)));
            Linear { weight, bias }.forward(x)
        },
        |[x, weight, bias]| burn::tensor::module::linear(x, matrix(weight), Some(vector(bias))),
    );
}

#[test]
fn a_product_of_few_rows_is_that_of_many() {
    let device = Device::flex();
    let layer = Linear::fan_in(37, 21, &device);
    let transposed = Linear {
        weight: param(layer.weight.val().transpose().mul_scalar(1.0).transpose()),
        bias: layer.bias.clone(),
    };
    for rows in 1..=10 {
        let x: Tensor<3> = draw([rows, 1, 37]);
        let bias = layer.bias.as_ref().map(Param::val);
        let expected = burn::tensor::module::linear(x.clone(), layer.weight.val(), bias);
        for layer in [&layer, &transposed] {
            assert_close(
                &format!("{rows} rows"),
                layer.forward(x.clone()),
                expected.clone(),
                1e-5,
            );
        }
    }
}

#[test]
fn the_loss_in_one_pass_equals_its_formula() {
    let targets = [0, 40, 7, 7, 12];
    let logits = draw([1, 1, targets.len(), 41]).mul_scalar(4.0);
    let three = |x: Tensor<4>| -> Tensor<3> {
        let [_, batch, rows, vocab] = x.dims();
        x.reshape([batch, rows, vocab])
    };
    for scale in [1.0, 0.25] {
        check(
            "loss",
            [logits.clone()],
            |[x]| {
                cross_entropy(three(x), &targets)
                    .mul_scalar(scale)
                    .unsqueeze()
            },
            |[x]| {
                loss::composed(three(x), &targets)
                    .mul_scalar(scale)
                    .unsqueeze()
            },
        );
    }
}
