//! The squares that an image becomes, and how they lie in it.

use std::ops::Range;

use serde::Serialize;

/// How the squares of one image lie in it. It follows from the image's size alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// One square is the image.
    #[default]
    Square,
    /// The whole image in one square, then a padded copy of it cut into a grid, row by row. The
    /// features of the grid become one picture (LLaVA-NeXT).
    Grid {
        /// Squares from top to bottom.
        rows: usize,
        /// Squares from left to right.
        columns: usize,
        /// Height of the image, in pixels.
        height: usize,
        /// Width of the image, in pixels.
        width: usize,
    },
    /// So many squares, each of which is read by itself (InternVL).
    Tiles {
        /// How many, the whole image in small included.
        squares: usize,
    },
}

impl Layout {
    /// Squares that the image becomes.
    #[must_use]
    pub const fn squares(&self) -> usize {
        match *self {
            Self::Square => 1,
            Self::Grid { rows, columns, .. } => 1 + rows * columns,
            Self::Tiles { squares } => squares,
        }
    }
}

/// The rows and columns of a `[rows, columns]` picture that show the image of `[height, width]`
/// pixels; around them lies the padding that its proportions made necessary.
///
/// Both sides lose the same, so that an odd row of padding stays; of a strip that is thinner than a
/// feature nothing may be left.
#[must_use]
pub(crate) fn unpadded(grid: [usize; 2], image: [usize; 2]) -> [Range<usize>; 2] {
    let ([rows, columns], [height, width]) = (grid, image);
    // `side * other / length` in whole numbers: what transformers rounds to seven decimals first.
    let middle = |side: usize, kept: usize| {
        let padding = (side - kept) / 2;
        padding..side - padding
    };
    if width * rows > columns * height {
        [middle(rows, height * columns / width), 0..columns]
    } else {
        [0..rows, middle(columns, width * rows / height)]
    }
}

/// Prepared images, one after another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Squares {
    /// Their squares, `[square, 3, size, size]`, normalised.
    pub pixels: Vec<f32>,
    /// How the squares of each image lie.
    pub layouts: Vec<Layout>,
}

impl Squares {
    /// Adds images after these.
    pub fn extend(&mut self, others: Self) {
        // A single image is the rule: nothing is copied for it, unless there is room already.
        if self.pixels.capacity() == 0 {
            self.pixels = others.pixels;
        } else {
            self.pixels.extend(others.pixels);
        }
        self.layouts.extend(others.layouts);
    }

    /// The same images, all in the mean colour.
    #[must_use]
    pub fn blank(&self) -> Self {
        Self {
            pixels: vec![0.0; self.pixels.len()],
            layouts: self.layouts.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_cut_off_on_both_sides_alike() {
        // A landscape image in a square grid of 8 by 8 features: 4 rows show it.
        assert_eq!(unpadded([8, 8], [100, 200]), [2..6, 0..8]);
        assert_eq!(unpadded([8, 8], [200, 100]), [0..8, 2..6]);
        // 5 of 8 rows would show it; of the 3 others one stays.
        assert_eq!(unpadded([8, 8], [5, 8]), [1..7, 0..8]);
        assert_eq!(unpadded([4, 8], [100, 200]), [0..4, 0..8]);
    }

    #[test]
    fn a_strip_thinner_than_a_feature_leaves_nothing_or_one_line() {
        assert_eq!(unpadded([24, 72], [1, 65_535]), [12..12, 0..72]);
        assert_eq!(unpadded([25, 75], [1, 65_535]), [12..13, 0..75]);
        assert_eq!(unpadded([72, 24], [65_535, 1]), [0..72, 12..12]);
    }
}
