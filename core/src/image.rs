//! Image files to pixels, as the original LLaVA prepares them with PIL.

use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoder::EncoderSpec;

mod anyres;
mod decode;
mod filter;
mod layout;
mod processor_config;
mod resample;
mod tiles;

pub(crate) use anyres::default_pinpoints;
pub use decode::{ImageError, MAX_BYTES, MAX_SIDE, check, decode, size, skim};
pub use filter::Filter;
pub use image::RgbImage;
pub use layout::{Grid, Layout, Squares};
pub use processor_config::ProcessorConfigError;
pub(crate) use processor_config::{pinpoints, shortest};
pub use tiles::Tiles;

use anyres::as_u32;
use resample::{Axis, Canvas, resample};

/// The most squares that an image may become.
pub const MAX_SQUARES: usize = 256;

/// How an image becomes the encoder's square, or several of them.
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
    Naive,
    /// The whole image, stretched, and a grid of squares over it in the best of several resolutions;
    /// the grid's features become one picture, and a learned vector ends each of its rows
    /// (LLaVA-NeXT).
    #[serde(rename = "anyres")]
    AnyRes,
    /// As many squares as the proportions ask for, and the whole image in small after them
    /// (`InternVL` 1.5).
    Tiles,
}

impl Resize {
    /// Whether an image becomes more than one square.
    #[must_use]
    pub const fn is_several(self) -> bool {
        matches!(self, Self::AnyRes | Self::Tiles)
    }
}

/// Makes an encoder's input of an image: resized as PIL does it, byte for byte, scaled and
/// normalised as Hugging Face's PIL processors do it, bit for bit. (Their torchvision processors
/// resize by other code and differ from their own PIL ones.)
#[derive(Debug, Clone, PartialEq)]
pub struct ImageProcessor {
    /// Side of a square, in pixels.
    pub size: usize,
    /// How an image becomes square, or several squares.
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
    /// Resolutions that [`Resize::AnyRes`] chooses from, `[height, width]` in pixels, each a multiple
    /// of `size`. That way needs one at least.
    pub pinpoints: Vec<[usize; 2]>,
    /// Into how many squares [`Resize::Tiles`] cuts.
    pub tiles: Tiles,
}

impl ImageProcessor {
    /// What an encoder asks for: [`bicubic`](Self::bicubic) at its size and statistics.
    #[must_use]
    pub fn new(encoder: &EncoderSpec, resize: Resize) -> Self {
        Self::bicubic(encoder.image_size, resize, encoder.mean, encoder.std)
    }

    /// Resized to `size` by PIL's bicubic, scaled to 0-1 and normalised; with LLaVA-NeXT's pinpoints
    /// and `InternVL`'s tiles.
    #[must_use]
    pub fn bicubic(size: usize, resize: Resize, mean: [f32; 3], std: [f32; 3]) -> Self {
        Self {
            size,
            resize,
            resized: size,
            filter: Filter::Bicubic,
            scale: 1.0 / 255.0,
            mean,
            std,
            pinpoints: default_pinpoints(size),
            tiles: Tiles::default(),
        }
    }

    /// Number of values a square has, `3 * size * size`.
    #[must_use]
    pub const fn values(&self) -> usize {
        3 * self.size * self.size
    }

    /// Decodes and prepares a file's bytes.
    ///
    /// # Errors
    /// No image in a format known, or one that is too large.
    pub fn process(&self, file: &[u8]) -> Result<Squares, ImageError> {
        let image = decode(file)?;
        let mut prepared = Squares::default();
        for square in self.squares(&image) {
            prepared.extend(Squares {
                pixels: self.normalise(&square),
                layouts: Vec::new(),
            });
        }
        let size = [image.height(), image.width()].map(|side| side as usize);
        prepared.layouts.push(self.layout(size));
        Ok(prepared)
    }

    /// How an image of `[height, width]` pixels lies in squares.
    #[must_use]
    pub fn layout(&self, image: [usize; 2]) -> Layout {
        match self.resize {
            Resize::Crop | Resize::Pad | Resize::Naive => Layout::Square,
            Resize::AnyRes => self.grid(image),
            Resize::Tiles => self.tiles.layout(image, self.size),
        }
    }

    /// The squares of an image in the order of their [`Layout`], still in bytes.
    #[must_use]
    pub fn squares(&self, image: &RgbImage) -> Vec<RgbImage> {
        match self.resize {
            Resize::Crop | Resize::Pad | Resize::Naive => vec![self.square(image)],
            Resize::AnyRes => {
                let mut squares = vec![self.square(image)];
                squares.extend(self.grid_squares(image));
                squares
            }
            Resize::Tiles => {
                let mut squares = self.tile_squares(image);
                if self.tiles.thumbnail && squares.len() > 1 {
                    squares.push(self.square(image));
                }
                squares
            }
        }
    }

    /// The whole image resized to `[size, size]`, still in bytes.
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
            Resize::Naive | Resize::AnyRes | Resize::Tiles => {
                [axis(width, resized), axis(height, resized)]
            }
        };
        let pixels = resample(&canvas, &horizontal, &vertical);
        let size = as_u32(self.size);
        RgbImage::from_raw(size, size, pixels).expect("three bytes a pixel")
    }

    /// An image stretched to `[height, width]` pixels.
    fn resize(&self, image: &RgbImage, [height, width]: [usize; 2]) -> RgbImage {
        let axis = |length: u32, target| Axis::new(self.filter, length as usize, target, target);
        let canvas = Canvas {
            image,
            left: 0,
            top: 0,
            colour: [0; 3],
        };
        let (horizontal, vertical) = (axis(image.width(), width), axis(image.height(), height));
        let pixels = resample(&canvas, &horizontal, &vertical);
        RgbImage::from_raw(as_u32(width), as_u32(height), pixels).expect("three bytes a pixel")
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

    /// Values of whole squares, one after the other, to `[square, 3, size, size]`.
    ///
    /// # Panics
    /// The values are not those of whole squares.
    #[must_use]
    pub fn tensor(&self, values: Vec<f32>, device: &Device) -> Tensor<4> {
        let squares = values.len() / self.values();
        let shape = [squares, 3, self.size, self.size];
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
