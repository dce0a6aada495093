//! A file's bytes to RGB.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use thiserror::Error;

mod gif;
mod jpeg;
mod tiff;

/// The longest side of an image that is decoded, in pixels: the most that a JPEG or a GIF can have.
pub const MAX_SIDE: u32 = 65_535;

/// The most memory that decoding one image may take, in bytes: about 178 million RGB pixels, where
/// PIL too takes a file for a decompression bomb. What a decoder holds beside the pixels counts,
/// as the coefficients of a progressive JPEG do.
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
    Decode(String),
}

impl From<image::ImageError> for ImageError {
    fn from(error: image::ImageError) -> Self {
        match error {
            image::ImageError::Limits(_) => Self::TooLarge,
            image::ImageError::Unsupported(error)
                if matches!(error.kind(), image::error::UnsupportedErrorKind::Format(_)) =>
            {
                Self::Format
            }
            error => Self::Decode(error.to_string()),
        }
    }
}

/// Decodes an image as PIL's `open(file).convert("RGB")` does: alpha is dropped and not blended,
/// CMYK is multiplied out, of an animation the first frame counts, of a TIFF the first page. EXIF
/// orientation is ignored, save a TIFF's own, which PIL applies.
///
/// 16 bits a channel become 8 by their high byte. PIL does the same except for 16-bit grey, which it
/// clips at 255, so that almost every such image is white; here it is treated as the others.
///
/// What the file's bytes are decides, not its name.
///
/// # Errors
/// Not an image, a broken or truncated one, or one beyond [`MAX_SIDE`] or [`MAX_BYTES`].
pub fn decode(file: &[u8]) -> Result<RgbImage, ImageError> {
    match image::guess_format(file) {
        Ok(ImageFormat::Jpeg) => jpeg::decode(file),
        Ok(ImageFormat::Gif) => gif::decode(file),
        Ok(ImageFormat::Tiff) => {
            let (file, palette) = tiff::without_palette(file);
            let mut rgb = decode_other(&file, ImageFormat::Tiff)?;
            if let Some(palette) = palette {
                for pixel in rgb.pixels_mut() {
                    pixel.0 = palette.colour(pixel.0[0]);
                }
            }
            Ok(rgb)
        }
        Ok(format) => decode_other(file, format),
        Err(_) => Err(ImageError::Format),
    }
}

/// Height and width of the image that [`decode`] makes of a file, in pixels, as its header says them.
/// A TIFF is decoded for it, as its orientation may turn it.
///
/// # Errors
/// As [`decode`], as far as the header shows it.
pub fn size(file: &[u8]) -> Result<[usize; 2], ImageError> {
    let (width, height) = match image::guess_format(file) {
        Ok(ImageFormat::Jpeg) => jpeg::dimensions(file)?,
        Ok(ImageFormat::Gif) => gif::dimensions(file)?,
        Ok(ImageFormat::Tiff) => decode(file)?.dimensions(),
        Ok(format) => ImageReader::with_format(Cursor::new(file), format).into_dimensions()?,
        Err(_) => return Err(ImageError::Format),
    };
    if width == 0 || height == 0 {
        return Err(ImageError::Decode("it has no pixel".to_owned()));
    }
    check_size(width, height, rgb_bytes(width, height))?;
    Ok([height as usize, width as usize])
}

/// Whether [`decode`] would decode a file, at less cost where it is a JPEG: the answer for a data
/// set's images before they are learned from.
///
/// # Errors
/// As [`decode`].
pub fn check(file: &[u8]) -> Result<(), ImageError> {
    match image::guess_format(file) {
        Ok(ImageFormat::Jpeg) => jpeg::check(file),
        _ => decode(file).map(drop),
    }
}

/// Looks at the header of a file, and for the end of a JPEG, a PNG or a WebP: whether it is an image
/// of a format that is read, not too large and not cut short. Damage in between is not seen.
///
/// # Errors
/// As [`decode`], and also for a file that lacks no more than [`decode`] can do without.
pub fn skim(file: &[u8]) -> Result<(), ImageError> {
    let format = image::guess_format(file).map_err(|_| ImageError::Format)?;
    let ended = match format {
        ImageFormat::Jpeg => return jpeg::skim(file),
        // Its header and its pixels may lie anywhere.
        ImageFormat::Tiff => return decode(file).map(drop),
        ImageFormat::Png => file.windows(4).rev().any(|name| name == b"IEND"),
        ImageFormat::WebP => {
            let length = file.get(4..).and_then(|rest| rest.first_chunk::<4>());
            length.is_some_and(|&length| u32::from_le_bytes(length) as usize <= file.len() - 8)
        }
        _ => true,
    };
    if !ended {
        let message = "the file ends before its image does";
        return Err(ImageError::Decode(message.to_owned()));
    }
    let reader = ImageReader::with_format(Cursor::new(file), format);
    let (width, height) = reader.into_dimensions()?;
    check_size(width, height, rgb_bytes(width, height))
}

fn decode_other(file: &[u8], format: ImageFormat) -> Result<RgbImage, ImageError> {
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let orientation = match format {
        ImageFormat::Tiff => decoder.orientation()?,
        _ => Orientation::NoTransforms,
    };
    let copies = u64::from(decoder.color_type() != ColorType::Rgb8)
        + u64::from(orientation != Orientation::NoTransforms);
    let rgb = rgb_bytes(width, height);
    check_size(
        width,
        height,
        decoder.total_bytes().saturating_add(copies * rgb),
    )?;
    let rgb = to_rgb(DynamicImage::from_decoder(decoder)?)?;
    let mut rgb = DynamicImage::ImageRgb8(rgb);
    rgb.apply_orientation(orientation);
    Ok(rgb.into_rgb8())
}

/// Bytes of an RGB image of 8 bits a channel.
fn rgb_bytes(width: u32, height: u32) -> u64 {
    3 * u64::from(width) * u64::from(height)
}

fn check_size(width: u32, height: u32, bytes: u64) -> Result<(), ImageError> {
    if width.max(height) > MAX_SIDE || bytes > MAX_BYTES {
        return Err(ImageError::TooLarge);
    }
    Ok(())
}

fn to_rgb(image: DynamicImage) -> Result<RgbImage, ImageError> {
    let (width, height) = (image.width(), image.height());
    let bytes = match image {
        DynamicImage::ImageLuma16(image) => high_bytes::<1>(image.as_raw()),
        DynamicImage::ImageLumaA16(image) => high_bytes::<2>(image.as_raw()),
        DynamicImage::ImageRgb16(image) => high_bytes::<3>(image.as_raw()),
        DynamicImage::ImageRgba16(image) => high_bytes::<4>(image.as_raw()),
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_) => {
            let message = "it has floating-point samples; save it with 8 bits a channel";
            return Err(ImageError::Decode(message.to_owned()));
        }
        image => return Ok(image.into_rgb8()),
    };
    Ok(RgbImage::from_raw(width, height, bytes).expect("three bytes a pixel"))
}

/// RGB of pixels of 16-bit samples: grey, grey and alpha, RGB or RGBA.
fn high_bytes<const CHANNELS: usize>(samples: &[u16]) -> Vec<u8> {
    let [red, green, blue] = if CHANNELS < 3 { [0; 3] } else { [0, 1, 2] };
    let pixels = samples.as_chunks::<CHANNELS>().0.iter();
    let pixels = pixels.flat_map(|pixel| [pixel[red], pixel[green], pixel[blue]]);
    pixels.map(|sample| sample.to_be_bytes()[0]).collect()
}
