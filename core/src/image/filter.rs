//! The kernels of PIL's resampling (Pillow, `src/libImaging/Resample.c`).

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How pixels are weighted when an image is resized. The names and numbers are PIL's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Sinc windowed by a wider sinc, over 3 pixels; 1.
    Lanczos,
    /// A triangle over 1 pixel; 2.
    Bilinear,
    /// Cubic convolution with a = -0.5 (Keys 1981), over 2 pixels; 3 (default).
    #[default]
    Bicubic,
    /// The plain mean; 4.
    Box,
    /// Sinc windowed by a cosine, over 1 pixel; 5.
    Hamming,
}

impl Filter {
    /// Every filter, by PIL's number from 1 on.
    pub(super) const ALL: [Self; 5] = [
        Self::Lanczos,
        Self::Bilinear,
        Self::Bicubic,
        Self::Box,
        Self::Hamming,
    ];

    /// Where the kernel is zero again, in source pixels at scale 1.
    const fn support(self) -> f64 {
        match self {
            Self::Lanczos => 3.0,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Box => 0.5,
        }
    }

    /// What place `x` of `target` is made of where `source` places become as many: the first one read,
    /// and the weight of each from there on, which sum to 1. The kernel is widened when it shrinks.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn window(self, source: usize, target: usize, x: usize) -> (usize, Vec<f64>) {
        let scale = source as f64 / target as f64;
        let widened = scale.max(1.0);
        let support = self.support() * widened;
        let centre = (x as f64 + 0.5) * scale;
        let start = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(source);
        let weight = |s| self.weight((s as f64 - centre + 0.5) * (1.0 / widened));
        let mut weights: Vec<f64> = (start..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        (start, weights)
    }

    /// The kernel at `x` pixels from the centre.
    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Bilinear if x.abs() < 1.0 => 1.0 - x.abs(),
            Self::Bicubic => cubic(x.abs()),
            Self::Box if x > -0.5 && x <= 0.5 => 1.0,
            Self::Hamming if x == 0.0 => 1.0,
            Self::Hamming if x.abs() < 1.0 => sinc(x) * (0.54 + 0.46 * (PI * x).cos()),
            _ => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}
