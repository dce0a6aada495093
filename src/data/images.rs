//! The images of a data set's samples.

use menagerie_core::ImageTokens;
use menagerie_core::image::{self, ImageProcessor, Layout, Squares};

use super::dataset::Dataset;
use super::error::{DataError, SampleError};
use super::sample::{Conversation, ImageRef};

impl Dataset {
    /// The files of sample `index`'s images, as they are encoded.
    ///
    /// # Errors
    /// One is missing or cannot be read.
    pub fn images(&self, index: usize) -> Result<Vec<Vec<u8>>, DataError> {
        let sample = self.sample(index);
        let images = sample.images.iter().map(|image| self.image(image));
        images
            .collect::<Result<_, _>>()
            .map_err(|error| self.error(sample, error))
    }

    /// How each image of a sample lies in squares. Opens none if all images are alike.
    ///
    /// # Errors
    /// One is missing or its size cannot be read.
    pub(crate) fn layouts(
        &self,
        sample: &Conversation,
        tokens: &ImageTokens,
    ) -> Result<Vec<Layout>, SampleError> {
        let layout = |image: &ImageRef| {
            if !tokens.differ() {
                return Ok(Layout::Square);
            }
            let size = image::size(&self.image(image)?);
            let size = size.map_err(|source| SampleError::Image {
                name: image.name().to_owned(),
                source,
            })?;
            Ok(tokens.layout(size))
        };
        sample.images.iter().map(layout).collect()
    }

    /// An image of sample `index`, prepared.
    ///
    /// # Errors
    /// It is missing, or cannot be read or decoded.
    pub fn squares(
        &self,
        index: usize,
        image: &ImageRef,
        processor: &ImageProcessor,
    ) -> Result<Squares, DataError> {
        let prepare = || {
            let file = self.image(image)?;
            processor
                .process(&file)
                .map_err(|source| SampleError::Image {
                    name: image.name().to_owned(),
                    source,
                })
        };
        prepare().map_err(|error| self.error(self.sample(index), error))
    }
}
