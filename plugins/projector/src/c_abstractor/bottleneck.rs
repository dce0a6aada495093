//! A block of RegNet (arXiv 2003.13678), as Honeybee takes it from timm: with layer norms and SiLU,
//! and each feature convolved alone.

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use menagerie_core::TensorName;
use menagerie_core::nn::{Activation, INITIALIZER_RANGE, LayerNorm, normal};

use crate::convolution::{self, Depthwise, Pointwise};

/// Of timm's `LayerNormAct2d`, which stands in for the `LayerNorm2d` that is asked for.
const LAYER_NORM_EPS: f64 = 1e-5;

/// `silu(shortcut(x) + f(x))`, where `f` maps every token, convolves each feature with its
/// neighbours', weighs features by the whole image, and maps every token again.
#[derive(Module, Debug)]
pub(super) struct Bottleneck {
    conv1: Pointwise,
    norm1: LayerNorm,
    conv2: Depthwise,
    norm2: LayerNorm,
    squeeze: SqueezeExcite,
    conv3: Pointwise,
    norm3: LayerNorm,
    shortcut: Option<Shortcut>,
}

impl Bottleneck {
    /// A block from `input` features to `output`. Where they are as many the shortcut maps nothing.
    pub(super) fn new(input: usize, output: usize, device: &Device) -> Self {
        let conv = |input| pointwise(input, output, false, device);
        let norm = || LayerNorm::new(output, LAYER_NORM_EPS, device);
        Self {
            conv1: conv(input),
            norm1: norm(),
            conv2: Depthwise::new(output, false, &normal(INITIALIZER_RANGE), device),
            norm2: norm(),
            squeeze: SqueezeExcite::new(output, quarter(input), device),
            conv3: conv(output),
            norm3: norm(),
            shortcut: (input != output).then(|| Shortcut {
                conv: conv(input),
                norm: norm(),
            }),
        }
    }

    /// `[batch, rows · columns, in]` -> `[batch, rows · columns, out]`
    pub(super) fn forward(&self, x: Tensor<3>, grid: [usize; 2]) -> Tensor<3> {
        let silu = |x| Activation::Silu.forward(x);
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x.clone()),
            None => x.clone(),
        };
        let x = silu(self.norm1.forward(self.conv1.forward(x)));
        let x = silu(self.norm2.forward(self.conv2.forward(x, grid)));
        let x = self
            .norm3
            .forward(self.conv3.forward(self.squeeze.forward(x)));
        silu(x + shortcut)
    }

    /// Names of the block at `path`, stored at `key`.
    pub(super) fn names(path: &str, key: &str) -> Vec<TensorName> {
        let mut names = Vec::new();
        for (conv, norm, stored) in [
            ("conv1", "norm1", "conv1"),
            ("conv2", "norm2", "conv2"),
            ("conv3", "norm3", "conv3"),
            ("shortcut.conv", "shortcut.norm", "downsample"),
        ] {
            let (path, key) = (|part| format!("{path}.{part}"), format!("{key}.{stored}"));
            names.extend(convolution::names(&path(conv), &format!("{key}.conv")));
            // timm calls every norm `bn`.
            names.extend(TensorName::layer_norm(&path(norm), &format!("{key}.bn")));
        }
        for layer in ["fc1", "fc2"] {
            let (path, key) = (format!("{path}.squeeze"), format!("{key}.se"));
            names.extend(convolution::names(
                &format!("{path}.{layer}"),
                &format!("{key}.{layer}"),
            ));
        }
        names
    }
}

/// `norm(conv(x))`
#[derive(Module, Debug)]
struct Shortcut {
    conv: Pointwise,
    norm: LayerNorm,
}

impl Shortcut {
    /// `[batch, token, in]` -> `[batch, token, out]`
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.norm.forward(self.conv.forward(x))
    }
}

/// `x · sigmoid(fc2(silu(fc1(mean of x over the image))))` (arXiv 1709.01507).
#[derive(Module, Debug)]
struct SqueezeExcite {
    fc1: Pointwise,
    fc2: Pointwise,
}

impl SqueezeExcite {
    fn new(features: usize, squeezed: usize, device: &Device) -> Self {
        Self {
            fc1: pointwise(features, squeezed, true, device),
            fc2: pointwise(squeezed, features, true, device),
        }
    }

    /// `[batch, token, feature]` -> the same
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        // [batch, 1, feature]
        let mean = x.clone().mean_dim(1);
        let squeezed = Activation::Silu.forward(self.fc1.forward(mean));
        let weights = self.fc2.forward(squeezed);
        x * sigmoid(weights)
    }
}

fn pointwise(input: usize, output: usize, bias: bool, device: &Device) -> Pointwise {
    Pointwise::new(input, output, bias, &normal(INITIALIZER_RANGE), device)
}

/// Features that a block's squeeze leaves, by timm's default: a quarter of the block's input,
/// rounded as Python does, halves to even.
fn quarter(input: usize) -> usize {
    let (quarter, rest) = (input / 4, input % 4);
    let up = rest == 3 || (rest == 2 && !quarter.is_multiple_of(2));
    (quarter + usize::from(up)).max(1)
}
