//! The sizes of a forward pass.

use menagerie_core::SquareTokens;
use menagerie_core::image::Layout;
use menagerie_core::splice::Padding;
use serde::Serialize;

/// A sample in a pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SampleShape {
    /// Tokens of text.
    pub text: usize,
    /// Images: how each lies in squares.
    pub images: Vec<Layout>,
    /// Tokens whose prediction is learned.
    pub supervised: usize,
}

impl SampleShape {
    /// Tokens, those of images included.
    pub(super) fn tokens(&self, square: SquareTokens) -> usize {
        self.text + square.of_each(&self.images).iter().sum::<usize>()
    }
}

/// The samples of a forward pass, and how they are laid out in rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PassShape {
    pub samples: Vec<SampleShape>,
    /// Tokens of a square.
    pub square: SquareTokens,
    pub padding: Padding,
}

impl PassShape {
    pub(super) fn images(&self) -> usize {
        self.samples.iter().map(|sample| sample.images.len()).sum()
    }

    /// Of the images of all samples.
    pub(super) fn layouts(&self) -> Vec<Layout> {
        let images = self.samples.iter().flat_map(|sample| &sample.images);
        images.copied().collect()
    }

    pub(super) fn squares(&self) -> usize {
        let images = self.samples.iter().flat_map(|sample| &sample.images);
        images.map(Layout::squares).sum()
    }

    pub(super) fn supervised(&self) -> usize {
        self.samples.iter().map(|sample| sample.supervised).sum()
    }

    /// Tokens of each sample, those of images included.
    fn lengths(&self) -> Vec<usize> {
        let tokens = |sample: &SampleShape| sample.tokens(self.square);
        self.samples.iter().map(tokens).collect()
    }

    /// Tokens without padding.
    pub(super) fn tokens(&self) -> usize {
        self.lengths().iter().sum()
    }

    /// `[batch, width]` of its rows.
    pub(super) fn dims(&self) -> [usize; 2] {
        self.padding.dims(&self.lengths())
    }

    /// Tokens with padding.
    pub(super) fn slots(&self) -> usize {
        self.dims().iter().product()
    }
}
