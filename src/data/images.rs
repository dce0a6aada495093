//! The images of a data set's samples.

#[cfg(feature = "train")]
use std::path::PathBuf;

use menagerie_core::ImageTokens;
use menagerie_core::image::{self, ImageProcessor, Layout, Squares};

use super::dataset::Dataset;
use super::error::{DataError, SampleError};
use super::sample::{Conversation, ImageRef};
use crate::features::{Known, Preparation};

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

    /// Where an image lies: in which file, and where in it.
    #[cfg(feature = "train")]
    pub(crate) fn place(&self, image: &ImageRef) -> (PathBuf, usize, usize) {
        match image {
            ImageRef::File { name, file } => {
                let folder = self.folders.get(*file).cloned().flatten();
                (folder.unwrap_or_default().join(name), 0, 0)
            }
            ImageRef::Member {
                file, offset, len, ..
            } => {
                let offset = usize::try_from(*offset).unwrap_or(usize::MAX);
                (self.files[*file].path.clone(), offset, *len)
            }
            ImageRef::Unpacked { name, offset, len } => {
                let offset = usize::try_from(*offset).unwrap_or(usize::MAX);
                (name.into(), offset, *len)
            }
            ImageRef::Cell {
                file, group, place, ..
            } => (self.files[*file].path.clone(), *group, *place),
        }
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
        let preparation = Preparation::Pixels(processor.clone());
        let (squares, _) = self.prepare(index, image, &preparation)?;
        Ok(squares)
    }

    /// An image of sample `index`, prepared, and what is known of it if features are kept.
    pub(crate) fn prepare(
        &self,
        index: usize,
        image: &ImageRef,
        preparation: &Preparation,
    ) -> Result<(Squares, Option<Known>), DataError> {
        let prepare = || {
            let file = self.image(image)?;
            preparation
                .process(&file)
                .map_err(|source| SampleError::Image {
                    name: image.name().to_owned(),
                    source,
                })
        };
        prepare().map_err(|error| self.error(self.sample(index), error))
    }
}
