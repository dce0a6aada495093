//! Image files to pixels, as the original LLaVA prepares them with PIL.

use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoder::EncoderSpec;

mod decode;
mod filter;
mod processor_config;
mod resample;

pub use decode::{ImageError, MAX_BYTES, MAX_SIDE, check, decode, skim};
pub use filter::Filter;
pub use image::RgbImage;
pub use processor_config::ProcessorConfigError;
pub(crate) use processor_config::shortest;

use resample::{Axis, Canvas, resample};

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
    /// Stretched to a square; proportions are lost (`SigLIP`'s own).
    Squash,
}

/// Makes an encoder's input of an image: resized as PIL does it, byte for byte, scaled and
/// normalised as Hugging Face's PIL processors do it, bit for bit. (Their torchvision processors
/// resize by other code and differ from their own PIL ones.)
#[derive(Debug, Clone, PartialEq)]
pub struct ImageProcessor {
    /// Side of the result, in pixels.
    pub size: usize,
    /// How an image becomes square.
    pub resize: Resize,
    /// Side after the resize, in pixels, of which the middle `size` are kept. Less than `size`
    /// counts as `size`, which is the common case.
    pub resized: usize,
    /// How pixels are weighted in the resize.
    pub filter: Filter,
    /// What a byte is multiplied with before the mean is subtracted, commonly 1/255.
    pub scale: f64,
    /// Mean of each channel in 0-1, subtracted.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, which divides.
    pub std: [f32; 3],
}

impl ImageProcessor {
    /// What an encoder asks for: [`bicubic`](Self::bicubic) at its size and statistics.
    #[must_use]
    pub const fn new(encoder: &EncoderSpec, resize: Resize) -> Self {
        Self::bicubic(encoder.image_size, resize, encoder.mean, encoder.std)
    }

    /// Resized to `size` by PIL's bicubic, scaled to 0-1 and normalised.
    #[must_use]
    pub const fn bicubic(size: usize, resize: Resize, mean: [f32; 3], std: [f32; 3]) -> Self {
        Self {
            size,
            resize,
            resized: size,
            filter: Filter::Bicubic,
            scale: 1.0 / 255.0,
            mean,
            std,
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
        let resized = self.resized.max(self.size);
        let axis = |length, target| Axis::new(self.filter, length, target, self.size);
        let [width, height] = [image.width(), image.height()].map(|length| length as usize);
        let (short, long) = (width.min(height), width.max(height));
        let mut canvas = Canvas {
            image,
            left: 0,
            top: 0,
            colour: self.mean.map(to_byte),
        };
        let [horizontal, vertical] = match self.resize {
            Resize::Crop => [width, height].map(|length| axis(length, resized * length / short)),
            Resize::Pad => {
                canvas.left = (long - width) / 2;
                canvas.top = (long - height) / 2;
                [axis(long, resized), axis(long, resized)]
            }
            Resize::Squash => [axis(width, resized), axis(height, resized)],
        };
        let pixels = resample(&canvas, &horizontal, &vertical);
        let size = u32::try_from(self.size).expect("an encoder's input has fewer than 2^32 pixels");
        RgbImage::from_raw(size, size, pixels).expect("three bytes a pixel")
    }

    /// Bytes `[size, size, 3]` to values `[3, size, size]`: `(byte * scale - mean) / std`, the
    /// product in f64 and rounded to f32, the rest in f32.
    #[must_use]
    pub fn normalise(&self, image: &RgbImage) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.values());
        for channel in 0..3 {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            #[expect(clippy::cast_possible_truncation)]
            let scaled = |byte| (f64::from(byte) * self.scale) as f32;
            let of_byte: [f32; 256] = std::array::from_fn(|byte| {
                (scaled(u8::try_from(byte).expect("256 of them")) - mean) / std
            });
            let bytes = image.as_raw().iter().skip(channel).step_by(3);
            values.extend(bytes.map(|&byte| of_byte[usize::from(byte)]));
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
