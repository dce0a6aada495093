//! How many tokens an image takes in the decoder's sequence, and where they come from.

use burn::tensor::{Int, Tensor, TensorData};

use crate::image::{Grid, ImageProcessor, Layout, Resize};

/// The visual tokens that the projector makes of one square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SquareTokens {
    /// How many.
    pub count: usize,
    /// Their rows and columns, if they lie as the places that they show do. A [`Layout::Grid`] is
    /// joined by them.
    pub grid: Option<[usize; 2]>,
}

impl From<usize> for SquareTokens {
    /// So many tokens that lie in no grid.
    fn from(count: usize) -> Self {
        Self { count, grid: None }
    }
}

impl SquareTokens {
    /// Tokens of an image whose squares lie so.
    ///
    /// # Panics
    /// It is a grid, and the tokens lie in none.
    #[must_use]
    pub fn of(&self, layout: &Layout) -> usize {
        match layout {
            Layout::Square => self.count,
            Layout::Tiles { squares } => squares * self.count,
            Layout::Grid(grid) => {
                let [rows, columns] = grid.shown(self.sides());
                self.count + rows.len() * (columns.len() + 1)
            }
        }
    }

    /// Tokens of each image.
    ///
    /// # Panics
    /// As [`SquareTokens::of`].
    #[must_use]
    pub fn of_each(&self, layouts: &[Layout]) -> Vec<usize> {
        layouts.iter().map(|layout| self.of(layout)).collect()
    }

    fn sides(&self) -> [usize; 2] {
        self.grid
            .expect("the tokens of a grid's squares lie in one")
    }

    /// Which vectors the tokens of these images are: those of all squares one after another, and,
    /// past them, the vector that ends a row. Nothing if they are those of the squares as they lie.
    pub(crate) fn order(&self, layouts: &[Layout]) -> Option<Vec<i64>> {
        let is_grid = |layout: &Layout| matches!(layout, Layout::Grid(_));
        if !layouts.iter().any(is_grid) {
            return None;
        }
        let squares: usize = layouts.iter().map(Layout::squares).sum();
        let newline = squares * self.count;
        let (mut order, mut first) = (Vec::new(), 0);
        for layout in layouts {
            let size = layout.squares() * self.count;
            match layout {
                Layout::Square | Layout::Tiles { .. } => order.extend(first..first + size),
                Layout::Grid(grid) => {
                    order.extend(first..first + self.count);
                    let [down, across] = self.sides();
                    let [rows, columns] = grid.shown([down, across]);
                    for row in rows {
                        let vector = |column: usize| {
                            let square = 1 + row / down * grid.columns + column / across;
                            let place = row % down * across + column % across;
                            first + square * self.count + place
                        };
                        order.extend(columns.clone().map(vector));
                        order.push(newline);
                    }
                }
            }
            first += size;
        }
        Some(
            order
                .into_iter()
                .map(|place| place.cast_signed() as i64)
                .collect(),
        )
    }
}

/// What images take of a sequence, by their size in pixels.
#[derive(Debug, Clone)]
pub struct ImageTokens {
    square: SquareTokens,
    /// Set if images differ.
    processor: Option<ImageProcessor>,
}

impl From<usize> for ImageTokens {
    /// Every image takes so many tokens.
    fn from(count: usize) -> Self {
        Self {
            square: count.into(),
            processor: None,
        }
    }
}

impl ImageTokens {
    /// Of images that `processor` prepares, each square of which becomes `square`.
    #[must_use]
    pub fn new(square: SquareTokens, processor: &ImageProcessor) -> Self {
        let differ = processor.resize.is_several();
        Self {
            square,
            processor: differ.then(|| processor.clone()),
        }
    }

    /// Whether an image's tokens depend on its size.
    #[must_use]
    pub const fn differ(&self) -> bool {
        self.processor.is_some()
    }

    /// The tokens of a square.
    #[must_use]
    pub const fn square(&self) -> SquareTokens {
        self.square
    }

    /// How an image of `[height, width]` pixels lies in squares.
    #[must_use]
    pub fn layout(&self, image: [usize; 2]) -> Layout {
        let processor = self.processor.as_ref();
        processor.map_or(Layout::Square, |processor| processor.layout(image))
    }

    /// The layouts that images may have, each without padding.
    fn layouts(&self) -> Vec<Layout> {
        let Some(processor) = &self.processor else {
            return vec![Layout::Square];
        };
        if processor.resize == Resize::Tiles {
            return processor.tiles.layouts().collect();
        }
        // An image of a pinpoint's own proportions has no padding.
        let full = |&[height, width]: &[usize; 2]| {
            Layout::Grid(Grid {
                rows: height / processor.size,
                columns: width / processor.size,
                height,
                width,
            })
        };
        processor.pinpoints.iter().map(full).collect()
    }

    /// The layout that takes most tokens, but no more than `limit`, if there is one; else the one that
    /// takes fewest.
    #[must_use]
    pub fn largest(&self, limit: usize) -> Layout {
        let mut layouts = self.layouts();
        layouts.sort_by_key(|layout| self.square.of(layout));
        let fit = layouts.partition_point(|layout| self.square.of(layout) <= limit);
        layouts
            .get(fit.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    /// The most tokens that an image takes.
    #[must_use]
    pub fn most(&self) -> usize {
        self.square.of(&self.largest(usize::MAX))
    }
}

/// The visual tokens of images, one image after another.
#[derive(Debug, Clone)]
pub struct VisualTokens {
    /// `[visual_token, hidden]`
    pub vectors: Tensor<2>,
    /// How many each image has.
    pub counts: Vec<usize>,
}

impl From<Tensor<3>> for VisualTokens {
    /// `[image, visual_token, hidden]`: every image has as many.
    fn from(images: Tensor<3>) -> Self {
        let [count, tokens, hidden] = images.dims();
        Self {
            vectors: images.reshape([count * tokens, hidden]),
            counts: vec![tokens; count],
        }
    }
}

impl VisualTokens {
    /// The images of these numbers, each as often as it is named.
    ///
    /// # Panics
    /// There is no image of a number.
    #[must_use]
    pub fn choose(&self, images: &[usize]) -> Self {
        let starts: Vec<usize> = self
            .counts
            .iter()
            .scan(0, |next, &count| {
                *next += count;
                Some(*next - count)
            })
            .collect();
        let places = images.iter().flat_map(|&image| {
            let start = starts[image];
            start..start + self.counts[image]
        });
        let places: Vec<i64> = places.map(|place| place.cast_signed() as i64).collect();
        let shape = [places.len()];
        let device = self.vectors.device();
        let places: Tensor<1, Int> = Tensor::from_data(TensorData::new(places, shape), &device);
        Self {
            vectors: self.vectors.clone().select(0, places),
            counts: images.iter().map(|&image| self.counts[image]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thumbnail and two squares side by side, each of 2 by 2 tokens.
    fn wide(height: usize, width: usize) -> Layout {
        Layout::Grid(Grid {
            rows: 1,
            columns: 2,
            height,
            width,
        })
    }

    const TOKENS: SquareTokens = SquareTokens {
        count: 4,
        grid: Some([2, 2]),
    };

    #[test]
    fn a_grid_is_read_in_lines_over_its_squares() {
        let layouts = [Layout::Square, wide(10, 20), Layout::Tiles { squares: 2 }];
        assert_eq!(TOKENS.of_each(&layouts), [4, 14, 8]);
        let order = TOKENS.order(&layouts).expect("a grid");
        let newline = 24;
        assert_eq!(order[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(order[8..13], [8, 9, 12, 13, newline]);
        assert_eq!(order[13..18], [10, 11, 14, 15, newline]);
        assert_eq!(order[18..], [16, 17, 18, 19, 20, 21, 22, 23]);
    }

    #[test]
    fn padding_of_a_grid_has_no_token() {
        // Half of the columns show an image of 10 by 10 pixels.
        let order = TOKENS.order(&[wide(10, 10)]).expect("a grid");
        assert_eq!(order, [0, 1, 2, 3, 5, 8, 12, 7, 10, 12]);
        assert_eq!(TOKENS.of(&wide(10, 10)), order.len());
    }

    #[test]
    fn the_largest_image_is_one_that_fits() {
        let mut processor = ImageProcessor::bicubic(8, Resize::Tiles, [0.5; 3], [0.5; 3]);
        let tokens = ImageTokens::new(TOKENS, &processor);
        assert_eq!(tokens.largest(usize::MAX).squares(), 13);
        assert_eq!(tokens.largest(40).squares(), 10);
        assert_eq!(tokens.largest(3).squares(), 1);
        processor.resize = Resize::AnyRes;
        let tokens = ImageTokens::new(TOKENS, &processor);
        assert_eq!(tokens.most(), 4 + 4 * 5);
        assert_eq!(tokens.square().of(&tokens.largest(23)), 4 + 6 * 3);
        assert_eq!(ImageTokens::from(9).most(), 9);
    }

    #[test]
    fn squares_that_lie_as_they_come_are_left_alone() {
        assert_eq!(
            TOKENS.order(&[Layout::Square, Layout::Tiles { squares: 3 }]),
            None
        );
        assert_eq!(TOKENS.order(&[]), None);
    }
}
