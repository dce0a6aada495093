//! Image files to pixels, as the original LLaVA prepares them with PIL.

use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoder::EncoderSpec;

mod decode;
mod resample;

pub use decode::{ImageError, MAX_BYTES, MAX_SIDE, decode};
pub use image::RgbImage;

use resample::{Axis, resample};

/// How an image that is not square becomes square.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// The shortest edge to the encoder's size, then the centre; what lies outside is lost
    /// (default, and LLaVA v1).
    #[default]
    Crop,
    /// Centred on a square of the encoder's mean colour, then resized; nothing is lost (LLaVA-1.5).
    Pad,
}

/// Makes an encoder's input of an image: resized as PIL's bicubic does it, byte for byte, scaled to
/// 0-1 and normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageProcessor {
    /// Side of the result, in pixels.
    pub size: usize,
    /// How an image becomes square.
    pub resize: Resize,
    /// Mean of each channel in 0-1, subtracted.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, which divides.
    pub std: [f32; 3],
}

impl ImageProcessor {
    /// What an encoder asks for.
    #[must_use]
    pub const fn new(encoder: &EncoderSpec, resize: Resize) -> Self {
        Self {
            size: encoder.image_size,
            resize,
            mean: encoder.mean,
            std: encoder.std,
        }
    }

    /// Number of values an image has, `3 * size * size`.
    #[must_use]
    pub const fn values(&self) -> usize {
        3 * self.size * self.size
    }

    /// Decodes and prepares a file's bytes: `[3, size, size]`, row by row.
    ///
    /// # Errors
    /// No image in a format known, or one that is too large.
    pub fn process(&self, file: &[u8]) -> Result<Vec<f32>, ImageError> {
        Ok(self.normalise(&self.square(&decode(file)?)))
    }

    /// Resizes an image to `[size, size]`, still in bytes.
    #[must_use]
    pub fn square(&self, image: &RgbImage) -> RgbImage {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let row_bytes = 3 * width;
        let row = |y: usize| &image.as_raw()[y * row_bytes..(y + 1) * row_bytes];
        let pixels = match self.resize {
            Resize::Crop => {
                let short = width.min(height);
                let axis = |length: usize| {
                    let resized = self.size * length / short;
                    Axis::new(length, resized).window((resized - self.size) / 2, self.size)
                };
                resample(&axis(width), &axis(height), |y, line| {
                    line.copy_from_slice(row(y));
                })
            }
            Resize::Pad => {
                let side = width.max(height);
                let axis = Axis::new(side, self.size);
                let [left, top] = [width, height].map(|length| (side - length) / 2);
                let colour = self.mean.map(to_byte);
                resample(&axis, &axis, |y, line| {
                    line.as_chunks_mut().0.fill(colour);
                    if (top..top + height).contains(&y) {
                        line[3 * left..3 * (left + width)].copy_from_slice(row(y - top));
                    }
                })
            }
        };
        let size = u32::try_from(self.size).expect("an encoder's input has fewer than 2^32 pixels");
        RgbImage::from_raw(size, size, pixels).expect("three bytes a pixel")
    }

    /// Bytes `[size, size, 3]` to values `[3, size, size]`: `(byte / 255 - mean) / std`.
    #[must_use]
    pub fn normalise(&self, image: &RgbImage) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.values());
        for channel in 0..3 {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            let bytes = image.as_raw().iter().skip(channel).step_by(3);
            values.extend(bytes.map(|&byte| (f32::from(byte) / 255.0 - mean) / std));
        }
        values
    }

    /// Values of whole images, one after the other, to `[image, 3, size, size]`.
    ///
    /// # Panics
    /// The values are not those of whole images.
    #[must_use]
    pub fn tensor(&self, values: Vec<f32>, device: &Device) -> Tensor<4> {
        let images = values.len() / self.values();
        let shape = [images, 3, self.size, self.size];
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// `int(mean * 255)` of the original: (122, 116, 104) for CLIP.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn to_byte(mean: f32) -> u8 {
    (f64::from(mean) * 255.0) as u8
}

#[cfg(test)]
mod tests;
