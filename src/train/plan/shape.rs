//! The sizes of a forward pass.

use serde::Serialize;

/// A row of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RowShape {
    /// Tokens of text.
    pub text: usize,
    /// Images.
    pub images: usize,
    /// Tokens whose prediction is learned.
    pub supervised: usize,
}

/// The rows of a forward pass. The width of all of them is the longest one's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PassShape {
    pub rows: Vec<RowShape>,
    /// Tokens of an image.
    pub visual_tokens: usize,
}

impl RowShape {
    /// Tokens, those of images included.
    pub(super) fn tokens(&self, visual_tokens: usize) -> usize {
        self.text + self.images * visual_tokens
    }
}

impl PassShape {
    pub(super) fn images(&self) -> usize {
        self.rows.iter().map(|row| row.images).sum()
    }

    pub(super) fn supervised(&self) -> usize {
        self.rows.iter().map(|row| row.supervised).sum()
    }

    /// Tokens without padding.
    pub(super) fn tokens(&self) -> usize {
        let rows = self.rows.iter();
        rows.map(|row| row.tokens(self.visual_tokens)).sum()
    }

    /// Tokens of the longest row.
    pub(super) fn width(&self) -> usize {
        let rows = self.rows.iter();
        rows.map(|row| row.tokens(self.visual_tokens))
            .max()
            .unwrap_or(0)
    }

    /// Tokens with padding.
    pub(super) fn slots(&self) -> usize {
        self.rows.len() * self.width()
    }
}
