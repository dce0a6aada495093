//! `tiles`: as many squares as the image's proportions ask for (`InternVL` 1.5's dynamic resolution,
//! arXiv 2404.16821; `GotOcr2ImageProcessorPil` of transformers, which `InternVL`'s models use there).

use image::{RgbImage, imageops};

use super::anyres::as_u32;
use super::{ImageProcessor, Layout};

/// Into how many tiles an image is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiles {
    /// The fewest.
    pub min: usize,
    /// The most.
    pub max: usize,
    /// Whether the whole image in small comes after them, where there are several.
    pub thumbnail: bool,
}

impl Default for Tiles {
    /// `InternVL` 1.5's in training: 1 to 12, and the thumbnail.
    fn default() -> Self {
        Self {
            min: 1,
            max: 12,
            thumbnail: true,
        }
    }
}

impl Tiles {
    /// How an image of `[height, width]` pixels lies in squares of `size`.
    pub(super) fn layout(self, image: [usize; 2], size: usize) -> Layout {
        let [rows, columns] = self.grid(image, size);
        self.with(rows * columns)
    }

    /// The layouts that images may have.
    pub(crate) fn layouts(self) -> impl Iterator<Item = Layout> {
        (self.min..=self.max).map(move |tiles| self.with(tiles))
    }

    fn with(self, tiles: usize) -> Layout {
        Layout::Tiles {
            squares: tiles + usize::from(self.thumbnail && tiles > 1),
        }
    }

    /// Rows and columns whose proportions are nearest to the image's. Of two that are as near the
    /// later one, with more tiles, counts if the image has more than half their pixels.
    fn grid(self, [height, width]: [usize; 2], size: usize) -> [usize; 2] {
        let sides = || 1..=self.max;
        let grids = sides().flat_map(|columns| sides().map(move |rows| [rows, columns]));
        let allowed =
            |[rows, columns]: &[usize; 2]| (self.min..=self.max).contains(&(rows * columns));
        let mut grids: Vec<[usize; 2]> = grids.filter(allowed).collect();
        grids.sort_by_key(|[rows, columns]| rows * columns);
        let ratio = width as f64 / height as f64;
        let mut best = (f64::INFINITY, [1, 1]);
        for [rows, columns] in grids {
            let off = (ratio - columns as f64 / rows as f64).abs();
            let pixels = size * size * rows * columns;
            #[expect(clippy::float_cmp, reason = "the reference's tie")]
            let tie = off == best.0 && 2 * height * width > pixels;
            if off < best.0 || tie {
                best = (off, [rows, columns]);
            }
        }
        best.1
    }
}

impl ImageProcessor {
    /// The tiles of an image, row by row: it is stretched over them.
    pub(super) fn tile_squares(&self, image: &RgbImage) -> Vec<RgbImage> {
        let size = [image.height(), image.width()].map(|side| side as usize);
        let grid = self.tiles.grid(size, self.size);
        self.cut(&self.resize(image, grid.map(|squares| squares * self.size)))
    }

    /// The squares of a canvas, row by row.
    pub(super) fn cut(&self, canvas: &RgbImage) -> Vec<RgbImage> {
        let side = as_u32(self.size);
        let [rows, columns] = [canvas.height(), canvas.width()].map(|length| length / side);
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        places
            .map(|(row, column)| {
                imageops::crop_imm(canvas, column * side, row * side, side, side).to_image()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(min: usize, max: usize, image: [usize; 2]) -> [usize; 2] {
        let tiles = Tiles {
            min,
            max,
            ..Tiles::default()
        };
        tiles.grid(image, 100)
    }

    #[test]
    fn the_nearest_proportions_are_taken() {
        assert_eq!(grid(1, 12, [100, 100]), [1, 1]);
        assert_eq!(grid(1, 12, [100, 300]), [1, 3]);
        assert_eq!(grid(1, 12, [500, 100]), [5, 1]);
        // As near, and the image has the pixels for it.
        assert_eq!(grid(1, 12, [400, 400]), [3, 3]);
        assert_eq!(grid(1, 4, [1, 65_535]), [1, 4]);
        // A fixed number of them.
        assert_eq!(grid(6, 6, [100, 100]), [3, 2]);
    }

    #[test]
    fn a_single_tile_has_no_thumbnail() {
        let tiles = Tiles::default();
        assert_eq!(tiles.layout([9, 9], 100).squares(), 1);
        assert_eq!(tiles.layout([100, 300], 100).squares(), 4);
        let alone = Tiles {
            thumbnail: false,
            ..tiles
        };
        assert_eq!(alone.layout([100, 300], 100).squares(), 3);
    }
}
