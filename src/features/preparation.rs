//! What becomes of an image file before the encoder sees it.

use std::sync::Arc;

use menagerie_core::image::{ImageError, ImageProcessor, Squares};

use super::FeatureCache;

/// How images are prepared.
#[derive(Debug, Clone)]
pub(crate) enum Preparation {
    /// Decoded and resized.
    Pixels(ImageProcessor),
    /// The same, unless their features are known.
    Features(Arc<FeatureCache>),
}

/// What is known of an image before the encoder has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// The features of its squares: their numbers' bytes.
    Features(Vec<u8>),
    /// Nothing; what its features are to be called. Its squares have to be encoded.
    Missing(String),
}

impl Preparation {
    /// An image's squares, and with a cache what is known of it; of one whose features are known no
    /// pixels.
    pub(crate) fn process(&self, file: &[u8]) -> Result<(Squares, Option<Known>), ImageError> {
        match self {
            Self::Pixels(processor) => Ok((processor.process(file)?, None)),
            Self::Features(cache) => {
                let (squares, known) = cache.look(file)?;
                Ok((squares, Some(known)))
            }
        }
    }

    /// The numbers of so many images of one square, if they all have some.
    pub(crate) fn values(&self, images: usize) -> usize {
        match self {
            Self::Pixels(processor) => images * processor.values(),
            Self::Features(_) => 0,
        }
    }
}
