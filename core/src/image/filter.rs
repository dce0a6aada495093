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
    pub(super) const fn support(self) -> f64 {
        match self {
            Self::Lanczos => 3.0,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Box => 0.5,
        }
    }

    /// The kernel at `x` pixels from the centre.
    pub(super) fn weight(self, x: f64) -> f64 {
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
