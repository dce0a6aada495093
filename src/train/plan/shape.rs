//! The sizes of a forward pass.

use menagerie_core::splice::Padding;
use serde::Serialize;

/// A sample in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SampleShape {
    /// Tokens of text.
    pub text: usize,
    /// Images.
    pub images: usize,
    /// Tokens whose prediction is learned.
    pub supervised: usize,
}

/// The samples of a forward pass, and how they are laid out in rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PassShape {
    pub samples: Vec<SampleShape>,
    /// Tokens of an image.
    pub visual_tokens: usize,
    pub padding: Padding,
}

impl PassShape {
    pub(super) fn images(&self) -> usize {
        self.samples.iter().map(|sample| sample.images).sum()
    }

    pub(super) fn supervised(&self) -> usize {
        self.samples.iter().map(|sample| sample.supervised).sum()
    }

    /// Tokens of each sample, those of images included.
    fn lengths(&self) -> Vec<usize> {
        let tokens = |sample: &SampleShape| sample.text + sample.images * self.visual_tokens;
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
