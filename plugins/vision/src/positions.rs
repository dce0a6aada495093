//! Position embeddings of one grid of patches for another.

use burn::tensor::{DType, Tensor, TensorData};
use menagerie_core::image::Filter;

/// How values between the grid's points are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interpolation {
    /// Cubic convolution with a = -0.75 over four points, whatever the scale, as PyTorch's
    /// `interpolate(mode="bicubic")`.
    Bicubic,
    /// As PIL's and PyTorch's with `antialias=True`: a = -0.5, the kernel widened where the grid
    /// shrinks.
    BicubicAntialias,
}

/// A map from a square grid to another: the same one along rows and columns.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    source: usize,
    target: usize,
    /// `[target, source]`
    weights: Vec<f32>,
}

impl Grid {
    /// From `source` places a side to `target`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positions are interpolated in f32"
    )]
    pub(crate) fn new(source: usize, target: usize, how: Interpolation) -> Self {
        let mut weights = vec![0.0; target * source];
        for (x, row) in weights.chunks_exact_mut(source).enumerate() {
            for (place, weight) in window(source, target, x, how) {
                row[place] += weight as f32;
            }
        }
        Self {
            source,
            target,
            weights,
        }
    }

    /// `[1, source · source, hidden]` -> `[1, target · target, hidden]`, places row by row; computed
    /// in f32, whatever the dtype.
    pub(crate) fn resample(&self, positions: Tensor<3>) -> Tensor<3> {
        let (dtype, device) = (positions.dtype(), positions.device());
        let [_, _, hidden] = positions.dims();
        let (source, target) = (self.source, self.target);
        let weights = TensorData::new(self.weights.clone(), [target, source]);
        let weights: Tensor<2> = Tensor::from_data(weights, (&device, DType::F32));
        let rows = positions
            .cast(DType::F32)
            .reshape([source, source * hidden]);
        let rows = weights
            .clone()
            .matmul(rows)
            .reshape([target, source, hidden]);
        let grid = weights.unsqueeze::<3>().matmul(rows); // [target, target, hidden]
        grid.reshape([1, target * target, hidden]).cast(dtype)
    }
}

/// The places that place `x` of `target` reads, each with its weight.
fn window(source: usize, target: usize, x: usize, how: Interpolation) -> Vec<(usize, f64)> {
    match how {
        Interpolation::BicubicAntialias => {
            let (start, weights) = Filter::Bicubic.window(source, target, x);
            (start..).zip(weights).collect()
        }
        Interpolation::Bicubic => {
            let centre = (x as f64 + 0.5) * (source as f64 / target as f64) - 0.5;
            let first = centre.floor() - 1.0;
            let weight = |step: usize| {
                let place = first + step as f64;
                // What lies beyond the edge is what lies on it.
                (clamped(place, source), cubic((place - centre).abs()))
            };
            (0..4).map(weight).collect()
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn clamped(place: f64, count: usize) -> usize {
    (place.max(0.0) as usize).min(count - 1)
}

/// The kernel of cubic convolution (Keys 1981) at `x` places from the centre, 0 to 2.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn what_is_the_same_everywhere_stays_and_a_grid_onto_itself_too() {
        let device = Device::flex();
        for how in [Interpolation::Bicubic, Interpolation::BicubicAntialias] {
            for (source, target) in [(5, 3), (3, 8), (37, 16), (1, 4), (4, 1)] {
                let ones: Tensor<3> = Tensor::ones([1, source * source, 2], &device);
                let resampled = Grid::new(source, target, how).resample(ones);
                assert_eq!(resampled.dims(), [1, target * target, 2]);
                let error: f32 = (resampled - 1.0).abs().max().into_scalar();
                assert!(error < 1e-6, "{how:?}, {source} to {target}: {error}");
            }
            let values = Tensor::<1>::from_data([1.0, -2.0, 3.0, 0.5], &device);
            let values = values.reshape([1, 4, 1]);
            let same = Grid::new(2, 2, how).resample(values.clone());
            let error: f32 = (same - values).abs().max().into_scalar();
            assert!(error < 1e-6, "{how:?}: {error}");
        }
    }
}
