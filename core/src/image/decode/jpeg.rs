//! JPEG by libjpeg-turbo's decoder, which is PIL's (see `docs/decisions/0010-jpeg.md`).

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::RgbImage;
use mozjpeg::{ColorSpace, Decompress};

use super::{ImageError, check_size, rgb_bytes};

mod scans;

use scans::Scans;

/// The most scans that are read. Encoders write about ten; each more costs time over the whole
/// image, which a file of a few bytes could ask for.
const MAX_SCANS: usize = 100;

const ENDS_EARLY: &str = "the file ends before its image does";

/// Decodes as PIL does: data that is damaged but complete gives pixels, a file that ends before its
/// image is an error.
pub(super) fn decode(file: &[u8]) -> Result<RgbImage, ImageError> {
    read(file, |header, width, height| {
        Ok(RgbImage::from_raw(width, height, decompress(header)?).expect("three bytes a pixel"))
    })
}

/// Whether [`decode`] would succeed. All of the file is read, but each block of 8 times 8 pixels
/// becomes one, which spares most of the work.
pub(super) fn check(file: &[u8]) -> Result<(), ImageError> {
    read(file, |mut header, _, _| {
        header.scale(1);
        decompress(header).map(drop)
    })
}

/// Width and height, of a file whose header is right.
pub(super) fn dimensions(file: &[u8]) -> Result<(u32, u32), ImageError> {
    read(file, |_, width, height| Ok((width, height)))
}

/// Whether the header is right and the image has an end; what lies between is not decoded.
pub(super) fn skim(file: &[u8]) -> Result<(), ImageError> {
    if !Scans::count(file).ended {
        return Err(ImageError::Decode(ENDS_EARLY.to_owned()));
    }
    read(file, |_, _, _| Ok(()))
}

type Header<'file> = Decompress<Source<'file>>;

/// Opens a file that is not too large, and hands it on with its width and height.
fn read<T>(
    file: &[u8],
    decompress: impl FnOnce(Header<'_>, u32, u32) -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    let scans = Scans::count(file);
    if scans.number > MAX_SCANS {
        let number = scans.number;
        let message = format!("it has {number} scans, and at most {MAX_SCANS} are read");
        return Err(ImageError::Decode(message));
    }
    let ended = Cell::new(false);
    let source = Source {
        rest: file,
        ended: &ended,
    };
    // The C code leaves at an error by unwinding.
    let open = || {
        let (header, width, height) = open(source, &scans)?;
        decompress(header, width, height)
    };
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(result) => result,
        Err(_) if ended.get() => Err(ImageError::Decode(ENDS_EARLY.to_owned())),
        Err(payload) => {
            let message = payload.downcast_ref::<String>().map_or("", String::as_str);
            let message = message.trim_start_matches("libjpeg fatal error: ");
            Err(ImageError::Decode(format!("broken JPEG: {message}")))
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn failed(error: io::Error) -> ImageError {
    ImageError::Decode(format!("broken JPEG: {error}"))
}

fn open<'file>(
    source: Source<'file>,
    scans: &Scans,
) -> Result<(Header<'file>, u32, u32), ImageError> {
    let header = Decompress::builder().from_reader(source).map_err(failed)?;
    let too_large = |_| ImageError::TooLarge;
    let width = u32::try_from(header.width()).map_err(too_large)?;
    let height = u32::try_from(header.height()).map_err(too_large)?;
    let coefficients = if scans.whole_image {
        coefficient_bytes(&header)
    } else {
        0
    };
    check_size(width, height, rgb_bytes(width, height) + coefficients)?;
    Ok((header, width, height))
}

/// The pixels as RGB, three bytes each.
fn decompress(header: Header<'_>) -> Result<Vec<u8>, ImageError> {
    let mut pixels = Vec::new();
    let mut decoder = match header.components().len() {
        1 | 3 => {
            let decoder = header.rgb().map_err(failed)?;
            pixels.resize(3 * decoder.width() * decoder.height(), 0);
            decoder
        }
        4 => {
            let mut decoder = header.to_colorspace(ColorSpace::JCS_CMYK).map_err(failed)?;
            let row = 3 * decoder.width();
            pixels.resize(row * decoder.height(), 0);
            let mut line = vec![[0; 4]; decoder.width()];
            for pixels in pixels.chunks_exact_mut(row) {
                decoder.read_scanlines_into(&mut line).map_err(failed)?;
                let pixels = pixels.as_chunks_mut::<3>().0;
                for (pixel, inks) in pixels.iter_mut().zip(&line) {
                    *pixel = multiplied_out(*inks);
                }
            }
            decoder
        }
        number => {
            let message = format!("it has {number} channels; 1, 3 and 4 are read");
            return Err(ImageError::Decode(message));
        }
    };
    if decoder.color_space() == ColorSpace::JCS_RGB {
        decoder.read_scanlines_into(&mut pixels).map_err(failed)?;
    }
    decoder.finish().map_err(failed)?;
    Ok(pixels)
}

/// Bytes of the coefficients of a whole image: 2 a sample, each channel padded to whole blocks.
fn coefficient_bytes<R>(header: &Decompress<R>) -> u64 {
    let factors = header.components().iter().map(|channel| {
        [channel.h_samp_factor, channel.v_samp_factor]
            .map(|factor| u64::from(factor.unsigned_abs()))
    });
    let [across, down] = factors.clone().fold([1, 1], |[across, down], [h, v]| {
        [across.max(h), down.max(v)]
    });
    let units =
        (header.width() as u64).div_ceil(8 * across) * (header.height() as u64).div_ceil(8 * down);
    let blocks: u64 = factors.map(|[h, v]| h * v).sum();
    2 * 64 * blocks * units
}

/// RGB of inverted CMYK, which is how every JPEG is taken to hold it, as PIL does:
/// `ink * black / 255`, rounded.
fn multiplied_out([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    [cyan, magenta, yellow].map(|ink| {
        let product = u32::from(ink) * u32::from(black);
        u8::try_from((product + 127) / 255).expect("at most 255")
    })
}

/// A file in memory that says when more is asked of it than it has. libjpeg itself would fill an
/// image up with grey and only warn.
struct Source<'file> {
    rest: &'file [u8],
    ended: &'file Cell<bool>,
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.rest.read(into)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() {
            self.ended.set(true);
            return Err(io::Error::other(ENDS_EARLY));
        }
        Ok(self.rest)
    }

    fn consume(&mut self, amount: usize) {
        self.rest = &self.rest[amount..];
    }
}
