//! What it costs to keep the features of images, and what that saves.

use std::collections::HashSet;
use std::path::PathBuf;

use menagerie_core::image::{Layout, Resize};
use menagerie_core::recipe::Configured;
use serde::Serialize;

use super::lengths::Samples;
use super::shape::{PassShape, SampleShape};
use crate::data::{Dataset, ImageRef};

/// The features of images, where the recipe keeps them.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct FeatureCost {
    /// Images, each once for every way in which it is prepared.
    pub images: usize,
    /// The squares that these become, and a grey one.
    pub squares: usize,
    /// Their bytes on disk.
    pub bytes: u64,
    /// Arithmetic that the encoder is spared in training, if nothing is there before the run.
    pub saved_flops: f64,
}

/// Images that the encoder has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    images: HashSet<(Option<Resize>, Image)>,
    squares: usize,
    saved_flops: f64,
}

/// Where an image lies: in which file, and where in it.
type Image = (PathBuf, usize, usize);

impl Seen {
    /// Adds an image; its squares if it is new, else none.
    fn add(&mut self, resize: Option<Resize>, image: Image, layout: &Layout) -> usize {
        if !self.images.insert((resize, image)) {
            return 0;
        }
        self.squares += layout.squares();
        layout.squares()
    }

    /// Adds the samples that the passes of a stage show, and says how much of the passes' arithmetic the
    /// encoder is spared, at so much a square. Of data that is not here every sample has images of its
    /// own.
    pub(super) fn stage(
        &mut self,
        (stage, resize): (&str, Option<Resize>),
        samples: Option<&Samples>,
        passes: &[(Vec<usize>, PassShape)],
        square_flops: f64,
    ) -> f64 {
        let (mut shown, mut fresh) = (0, 0);
        for (indices, shape) in passes {
            shown += shape.squares();
            for (&index, sample) in indices.iter().zip(&shape.samples) {
                for (place, layout) in sample.images.iter().enumerate() {
                    let image = match samples {
                        Some(samples) => image(&samples.dataset, index, place),
                        None => Some((stage.into(), index, place)),
                    };
                    // Of large data a sample's shape may be another one's, with more images.
                    fresh += image.map_or(0, |image| self.add(resize, image, layout));
                }
            }
        }
        let saved = square_flops * (shown - fresh) as f64;
        self.saved_flops += saved;
        saved
    }

    /// Adds the images of questions.
    pub(super) fn questions(
        &mut self,
        resize: Option<Resize>,
        dataset: &Dataset,
        asked: &[(usize, SampleShape)],
    ) {
        for (index, sample) in asked {
            for (place, layout) in sample.images.iter().enumerate() {
                if let Some(image) = image(dataset, *index, place) {
                    self.add(resize, image, layout);
                }
            }
        }
    }

    /// What all of them take, at so many bytes a number.
    pub(super) fn cost(&self, configured: &Configured, number: usize) -> FeatureCost {
        let spec = &configured.vision_spec;
        let squares = self.squares + 1;
        FeatureCost {
            images: self.images.len(),
            squares,
            bytes: (squares * spec.tokens * spec.feature_size * number) as u64,
            saved_flops: self.saved_flops,
        }
    }
}

fn image(dataset: &Dataset, index: usize, place: usize) -> Option<Image> {
    let image: &ImageRef = dataset.sample(index).images.get(place)?;
    Some(dataset.place(image))
}
