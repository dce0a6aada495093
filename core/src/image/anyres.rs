//! `anyres`: the resolution nearest to the image's own out of a list, cut into squares
//! (LLaVA-NeXT; `llava/mm_utils.py` of the original, `LlavaNextImageProcessorPil` of transformers).

use image::{RgbImage, imageops};

use super::{Grid, ImageProcessor, Layout};

/// Rows and columns of the grids that LLaVA-NeXT was trained on
/// (`image_grid_pinpoints` of its checkpoints, divided by 336).
const GRIDS: [[usize; 2]; 5] = [[1, 2], [2, 1], [2, 2], [3, 1], [1, 3]];

/// LLaVA-NeXT's pinpoints, `[height, width]`, for squares of `size` pixels.
pub(crate) fn default_pinpoints(size: usize) -> Vec<[usize; 2]> {
    let pixels = |grid: [usize; 2]| grid.map(|squares| squares * size);
    GRIDS.into_iter().map(pixels).collect()
}

impl ImageProcessor {
    /// The grid of an image of `[height, width]` pixels.
    pub(super) fn grid(&self, image: [usize; 2]) -> Layout {
        let [rows, columns] = self.best(image).map(|side| side / self.size);
        let [height, width] = image;
        Layout::Grid(Grid {
            rows,
            columns,
            height,
            width,
        })
    }

    /// The squares of the grid, row by row: the image resized into it as its proportions allow,
    /// centred on black.
    pub(super) fn grid_squares(&self, image: &RgbImage) -> Vec<RgbImage> {
        let size = [image.height(), image.width()].map(|side| side as usize);
        let canvas = self.best(size);
        let resized = self.resize(image, inside(size, canvas));
        let [height, width] = canvas.map(as_u32);
        let mut padded = RgbImage::new(width, height);
        let left = (width - resized.width()) / 2;
        let top = (height - resized.height()) / 2;
        imageops::replace(&mut padded, &resized, left.into(), top.into());
        self.cut(&padded)
    }

    /// The pinpoint at which an image of `[height, width]` pixels keeps most of its pixels; of
    /// several such the one with the fewest others, and then the first.
    ///
    /// In floating point as the reference has it, whose products may fall short of a whole number.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn best(&self, image: [usize; 2]) -> [usize; 2] {
        let [height, width] = image;
        let effective = |pinpoint: &[usize; 2]| {
            let ratios = [0, 1].map(|axis| pinpoint[axis] as f64 / image[axis] as f64);
            let scale = ratios[1].min(ratios[0]);
            let scaled = image.map(|side| (side as f64 * scale) as usize);
            (scaled[0] * scaled[1]).min(height * width)
        };
        let mut best = self.pinpoints[0];
        for pinpoint in &self.pinpoints[1..] {
            let (own, most) = (effective(pinpoint), effective(&best));
            let wasted = |pinpoint: &[usize; 2], own: usize| pinpoint[0] * pinpoint[1] - own;
            if own > most || (own == most && wasted(pinpoint, own) < wasted(&best, most)) {
                best = *pinpoint;
            }
        }
        best
    }
}

/// The size of an image within a canvas, both `[height, width]`, its proportions kept.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn inside(image: [usize; 2], canvas: [usize; 2]) -> [usize; 2] {
    let [down, across] = [0, 1].map(|axis| canvas[axis] as f64 / image[axis] as f64);
    let other = |axis: usize, scale: f64| {
        let side = (image[axis] as f64 * scale).ceil() as usize;
        side.min(canvas[axis])
    };
    if across < down {
        [other(0, across), canvas[1]]
    } else {
        [canvas[0], other(1, down)]
    }
}

pub(super) fn as_u32(side: usize) -> u32 {
    u32::try_from(side).expect("a canvas has fewer than 2^32 pixels a side")
}
