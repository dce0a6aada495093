//! The first frame of a GIF, on its canvas.

use gif::{ColorOutput, DecodeOptions, Frame};
use image::RgbImage;

use super::{ImageError, check_size, rgb_bytes};

impl From<gif::DecodingError> for ImageError {
    fn from(error: gif::DecodingError) -> Self {
        Self::Decode(error.to_string())
    }
}

/// Decodes as PIL does: around a frame that is smaller than the canvas lies the transparent colour,
/// or the palette's first where there is none; a frame that is larger enlarges the canvas.
pub(super) fn decode(file: &[u8]) -> Result<RgbImage, ImageError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    let mut decoder = options.read_info(file)?;
    let canvas = (decoder.width(), decoder.height());
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let Some(frame) = decoder.next_frame_info()? else {
        return Err(no_frame());
    };
    let [left, top, width, height] =
        [frame.left, frame.top, frame.width, frame.height].map(usize::from);
    let around = frame.transparent.unwrap_or(0);
    let palette = frame.palette.clone().or(global).unwrap_or_default();

    let (canvas_width, canvas_height) = enlarged(canvas, frame);
    let bytes = rgb_bytes(canvas_width, canvas_height) + (width * height) as u64;
    check_size(canvas_width, canvas_height, bytes)?;
    let mut indices = vec![0; width * height];
    decoder.read_into_buffer(&mut indices)?;

    let colours = colours(&palette);
    let pixel = image::Rgb(colours[usize::from(around)]);
    let mut image = RgbImage::from_pixel(canvas_width, canvas_height, pixel);
    let line = 3 * canvas_width as usize;
    let lines = image.as_mut().chunks_exact_mut(line).skip(top);
    for (line, indices) in lines.zip(indices.chunks_exact(width.max(1))) {
        let pixels = line[3 * left..].as_chunks_mut::<3>().0;
        for (pixel, &index) in pixels.iter_mut().zip(indices) {
            *pixel = colours[usize::from(index)];
        }
    }
    Ok(image)
}

/// Width and height of what [`decode`] makes.
pub(super) fn dimensions(file: &[u8]) -> Result<(u32, u32), ImageError> {
    let mut decoder = DecodeOptions::new().read_info(file)?;
    let canvas = (decoder.width(), decoder.height());
    match decoder.next_frame_info()? {
        Some(frame) => Ok(enlarged(canvas, frame)),
        None => Err(no_frame()),
    }
}

/// The canvas with room for a frame.
fn enlarged(canvas: (u16, u16), frame: &Frame<'_>) -> (u32, u32) {
    let side = |canvas: u16, begin: u16, length: u16| {
        u32::from(canvas).max(u32::from(begin) + u32::from(length))
    };
    (
        side(canvas.0, frame.left, frame.width),
        side(canvas.1, frame.top, frame.height),
    )
}

fn no_frame() -> ImageError {
    ImageError::Decode("it has no frame".to_owned())
}

/// The colour of every index. One beyond the palette is black, save where the palette is a ramp of
/// greys, which goes on.
fn colours(palette: &[u8]) -> [[u8; 3]; 256] {
    let ramp = std::array::from_fn(|index| [u8::try_from(index).expect("256 of them"); 3]);
    let (palette, _) = palette.as_chunks::<3>();
    if palette
        .iter()
        .zip(&ramp)
        .all(|(colour, grey)| colour == grey)
    {
        return ramp;
    }
    std::array::from_fn(|index| palette.get(index).copied().unwrap_or_default())
}
