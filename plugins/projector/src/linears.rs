//! Linear layers with a function between them, as several projectors have.

use burn::tensor::{Device, Tensor};
use menagerie_core::TensorName;
use menagerie_core::nn::{Activation, Linear};

/// `depth` layers, the first from `input` features, all to `output`.
pub(crate) fn linears(input: usize, output: usize, depth: usize, device: &Device) -> Vec<Linear> {
    let inputs = std::iter::once(input).chain(std::iter::repeat(output));
    inputs
        .take(depth)
        .map(|input| Linear::fan_in(input, output, device))
        .collect()
}

/// `linear(function(linear(…)))`: `[batch, token, in]` -> `[batch, token, out]`
pub(crate) fn chain(layers: &[Linear], x: Tensor<3>, function: Activation) -> Tensor<3> {
    layers.iter().enumerate().fold(x, |x, (index, layer)| {
        let is_first = index == 0;
        layer.forward(if is_first { x } else { function.forward(x) })
    })
}

/// Names of the `depth` layers at `path`, of which number `n` is stored as `key(n)`.
pub(crate) fn names(path: &str, depth: usize, key: impl Fn(usize) -> String) -> Vec<TensorName> {
    (0..depth)
        .flat_map(|n| TensorName::linear(&format!("{path}.{n}"), &key(n)))
        .collect()
}
