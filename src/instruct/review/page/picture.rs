//! An image made small enough to be mailed with the page.

use std::fs;
use std::io::{self, Cursor};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ImageFormat, RgbImage};
use menagerie_core::image::decode;

/// The longest side that is embedded, in pixels: what a card shows, half as large again.
const LONG_SIDE: u32 = 720;
/// Up to this side an image is embedded as PNG: drawings and icons keep their edges.
const EXACT_SIDE: u32 = 128;
/// JPEG's quality, of 100.
const QUALITY: u8 = 80;

/// An image as a page holds it.
#[derive(Debug)]
pub(super) struct Picture {
    /// A `data:` URI.
    pub uri: String,
    /// Size in pixels.
    pub width: u32,
    pub height: u32,
}

/// The image `name` of a folder, or why it is not there.
pub(super) fn read(folder: &Path, name: &str) -> Result<Picture, String> {
    let path = folder.join(name);
    let missing = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("{} is not there", path.display()),
        _ => format!("{} cannot be read: {error}", path.display()),
    };
    // A pipe would be waited for.
    if !fs::metadata(&path).map_err(missing)?.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    let bytes = fs::read(&path).map_err(missing)?;
    let image = decode(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    embed(&image).map_err(|error| format!("{}: {error}", path.display()))
}

fn embed(image: &RgbImage) -> Result<Picture, image::ImageError> {
    let small = shrunk(image);
    let image = small.as_ref().unwrap_or(image);
    let (width, height) = image.dimensions();
    let mut file = Vec::new();
    let kind = if width.max(height) <= EXACT_SIDE {
        image.write_to(&mut Cursor::new(&mut file), ImageFormat::Png)?;
        "png"
    } else {
        image.write_with_encoder(JpegEncoder::new_with_quality(&mut file, QUALITY))?;
        "jpeg"
    };
    Ok(Picture {
        uri: format!("data:image/{kind};base64,{}", STANDARD.encode(&file)),
        width,
        height,
    })
}

/// A smaller one, if it is too large.
fn shrunk(image: &RgbImage) -> Option<RgbImage> {
    let (width, height) = image.dimensions();
    let long = width.max(height);
    if long <= LONG_SIDE {
        return None;
    }
    let side = |side: u32| {
        let scaled = u64::from(side) * u64::from(LONG_SIDE) / u64::from(long);
        u32::try_from(scaled).map_or(LONG_SIDE, |side| side.max(1))
    };
    Some(resize(
        image,
        side(width),
        side(height),
        FilterType::Triangle,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_images_shrink_and_small_ones_stay_exact() {
        let photo = embed(&RgbImage::new(2000, 1000)).expect("any image can be embedded");
        assert_eq!((photo.width, photo.height), (720, 360));
        assert!(
            photo.uri.starts_with("data:image/jpeg;base64,/9j/"),
            "{}",
            photo.uri
        );
        let icon = embed(&RgbImage::new(64, 32)).expect("any image can be embedded");
        assert_eq!((icon.width, icon.height), (64, 32));
        assert!(
            icon.uri.starts_with("data:image/png;base64,iVBOR"),
            "{}",
            icon.uri
        );
        let line = embed(&RgbImage::new(10_000, 2)).expect("any image can be embedded");
        assert_eq!((line.width, line.height), (720, 1));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("text.jpg"), "no image").expect("room");
        let said = |name: &str| read(folder.path(), name).expect_err("no image");
        assert!(said("missing.jpg").ends_with("missing.jpg is not there"));
        assert!(said("text.jpg").contains("text.jpg: not an image"));
        assert!(said("").ends_with("is no file"));
    }
}
