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
    Grid(Grid),
    /// So many squares, each of which is read by itself (`InternVL`).
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
            Self::Grid(grid) => 1 + grid.rows * grid.columns,
            Self::Tiles { squares } => squares,
        }
    }
}

/// A grid of squares over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Grid {
    /// Squares from top to bottom.
    pub rows: usize,
    /// Squares from left to right.
    pub columns: usize,
    /// Height of the image, in pixels.
    pub height: usize,
    /// Width of the image, in pixels.
    pub width: usize,
}

impl Grid {
    /// The rows and columns of features that show the image, where each square has `[rows, columns]`
    /// of them; around these lies the padding that the image's proportions made necessary.
    ///
    /// Both sides lose the same, so that an odd line of padding stays; of a strip that is thinner than
    /// a feature nothing may be left.
    #[must_use]
    pub fn shown(&self, square: [usize; 2]) -> [Range<usize>; 2] {
        let [rows, columns] = [self.rows * square[0], self.columns * square[1]];
        let (height, width) = (self.height, self.width);
        let middle = |side: usize, kept: usize| {
            let padding = (side - kept) / 2;
            padding..side - padding
        };
        // In whole numbers: transformers rounds a product to seven decimals first, which is the same.
        if width * rows > columns * height {
            [middle(rows, height * columns / width), 0..columns]
        } else {
            [0..rows, middle(columns, width * rows / height)]
        }
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

    /// Of a grid of `rows` and `columns` squares with 8 by 8 features, over an image.
    fn shown(rows: usize, columns: usize, [height, width]: [usize; 2]) -> [Range<usize>; 2] {
        let grid = Grid {
            rows,
            columns,
            height,
            width,
        };
        grid.shown([8, 8])
    }

    #[test]
    fn padding_is_cut_off_on_both_sides_alike() {
        assert_eq!(shown(1, 1, [100, 200]), [2..6, 0..8]);
        assert_eq!(shown(1, 1, [200, 100]), [0..8, 2..6]);
        // 5 of 8 rows would show it; of the 3 others one stays.
        assert_eq!(shown(1, 1, [5, 8]), [1..7, 0..8]);
        assert_eq!(shown(1, 2, [100, 200]), [0..8, 0..16]);
    }

    #[test]
    fn a_strip_thinner_than_a_feature_leaves_nothing() {
        assert_eq!(shown(1, 3, [1, 65_535]), [4..4, 0..24]);
        assert_eq!(shown(3, 1, [65_535, 1]), [0..24, 4..4]);
    }
}
