//! A file's bytes to RGB.

use std::io::Cursor;

use image::{ImageReader, Limits, RgbImage};
use thiserror::Error;

/// The longest side of an image that is decoded, in pixels.
pub const MAX_SIDE: u32 = 32_768;

/// The most memory that decoding one image may take, in bytes: about 178 million RGB pixels, where
/// PIL too takes a file for a decompression bomb.
pub const MAX_BYTES: u64 = 512 << 20;

/// An image that cannot be decoded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Not an image, or in a format that is not read.
    #[error("not an image that is read here; the formats are PNG, JPEG, GIF, WebP, BMP and TIFF")]
    Format,
    /// The image is too large.
    #[error(
        "the image is too large: at most {MAX_SIDE} pixels a side and {} MiB decoded; scale it down",
        MAX_BYTES >> 20
    )]
    TooLarge,
    /// The file is broken, or uses a feature that is not supported.
    #[error("the image cannot be decoded: {0}")]
    Decode(image::ImageError),
}

/// Decodes an image as PIL's `convert("RGB")` does: alpha is dropped and not blended, EXIF
/// orientation is ignored, CMYK is multiplied out, of an animation the first frame counts.
///
/// 16 bits a channel are scaled to 8. (PIL clips 16-bit grey at 255, which leaves a white image.)
///
/// # Errors
/// Not an image, a broken one, or one beyond [`MAX_SIDE`] or [`MAX_BYTES`].
pub fn decode(file: &[u8]) -> Result<RgbImage, ImageError> {
    let mut reader = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .map_err(|error| ImageError::Decode(error.into()))?;
    if reader.format().is_none() {
        return Err(ImageError::Format);
    }
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    match reader.decode() {
        Ok(image) => Ok(image.into_rgb8()),
        Err(image::ImageError::Limits(_)) => Err(ImageError::TooLarge),
        Err(image::ImageError::Unsupported(error))
            if matches!(error.kind(), image::error::UnsupportedErrorKind::Format(_)) =>
        {
            Err(ImageError::Format)
        }
        Err(error) => Err(ImageError::Decode(error)),
    }
}
