//! The images of a data set's samples.

use menagerie_core::image::ImageProcessor;

use super::dataset::Dataset;
use super::error::{DataError, SampleError};
use super::sample::ImageRef;

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

    /// An image of sample `index`, prepared: `[3, size, size]`.
    ///
    /// # Errors
    /// It is missing, or cannot be read or decoded.
    pub fn pixels(
        &self,
        index: usize,
        image: &ImageRef,
        processor: &ImageProcessor,
    ) -> Result<Vec<f32>, DataError> {
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
