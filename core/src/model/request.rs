//! What a model is asked.

use thiserror::Error;

use super::Model;
use crate::chat::{IMAGE_MARK, Turn};
use crate::generate::GenerateError;
use crate::image::{ImageError, Squares};
use crate::tokens::EncodeError;

/// A conversation to continue, with its images.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The turns; the last is the question. [`IMAGE_MARK`] stands where an image is meant.
    pub turns: Vec<Turn>,
    /// The image files' bytes, in the order of their marks.
    pub images: Vec<Vec<u8>>,
}

impl Request {
    /// One question about images, which stand before it, a line each.
    pub fn question(text: impl AsRef<str>, images: Vec<Vec<u8>>) -> Self {
        let marks = format!("{IMAGE_MARK}\n").repeat(images.len());
        Self {
            turns: vec![Turn::human(format!("{marks}{}", text.as_ref()))],
            images,
        }
    }
}

/// A request that cannot be answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The turns are no conversation, or not one that this tokenizer can write.
    #[error(transparent)]
    Turns(#[from] EncodeError),

    /// An image cannot be read.
    #[error("image {number}: {source}")]
    Image {
        /// Which, from 1.
        number: usize,
        /// Why.
        source: ImageError,
    },

    /// More or fewer images than marks.
    #[error(
        "the conversation has {marks} times `{IMAGE_MARK}` and {images} images; give one image for each"
    )]
    Images {
        /// Marks in the turns.
        marks: usize,
        /// Images given.
        images: usize,
    },

    /// The prompt cannot be continued.
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

impl Model {
    /// The token ids of a request, with [`IMAGE_TOKEN`](crate::tokens::IMAGE_TOKEN) at each image.
    pub(crate) fn prompt(&self, request: &Request) -> Result<Vec<i64>, RequestError> {
        let marks = request.turns.iter().map(Turn::images).sum();
        let images = request.images.len();
        if marks != images {
            return Err(RequestError::Images { marks, images });
        }
        Ok(self
            .tokenizer
            .encode_prompt(&self.template, &request.turns)?)
    }

    /// A request's images, prepared.
    pub(crate) fn squares(&self, request: &Request) -> Result<Squares, RequestError> {
        let mut squares = Squares::default();
        for (number, file) in (1..).zip(&request.images) {
            squares.extend(self.squares_of(number, file)?);
        }
        Ok(squares)
    }

    /// Image `number` of a request, from 1, prepared.
    pub(super) fn squares_of(&self, number: usize, file: &[u8]) -> Result<Squares, RequestError> {
        let squares = self.image_processor(None).process(file);
        squares.map_err(|source| RequestError::Image { number, source })
    }
}
