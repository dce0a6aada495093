//! Batches made ahead of the step.

use std::sync::Arc;

use menagerie_core::image::ImageProcessor;

use super::batch::{Batch, SampleEncoder};
use super::dataset::Dataset;
use super::error::DataError;
use super::prefetch::Prefetch;
use crate::features::Preparation;

/// Batches in order, read, decoded, resized and tokenised by worker threads ahead of their use; the
/// same whatever the number of threads. See [`Prefetch`] for how far ahead.
#[derive(Debug)]
pub struct Loader {
    batches: Prefetch<Vec<usize>, Result<Batch, DataError>>,
}

impl Loader {
    /// Starts `workers` threads on the batches, each a list of indices into the dataset. With 0
    /// workers a batch is made in the calling thread when it is asked for. [`Passes::from_step`]
    /// gives the batches of a stage from any step on.
    ///
    /// [`Passes::from_step`]: super::Passes::from_step
    #[must_use]
    pub fn new(
        dataset: Arc<Dataset>,
        encoder: SampleEncoder,
        processor: ImageProcessor,
        batches: impl IntoIterator<Item = Vec<usize>, IntoIter: ExactSizeIterator + Send + 'static>,
        workers: usize,
    ) -> Self {
        let preparation = Preparation::Pixels(processor);
        Self::prepared(dataset, encoder, preparation, batches, workers)
    }

    /// As [`new`](Self::new), images prepared in any way.
    pub(crate) fn prepared(
        dataset: Arc<Dataset>,
        encoder: SampleEncoder,
        preparation: Preparation,
        batches: impl IntoIterator<Item = Vec<usize>, IntoIter: ExactSizeIterator + Send + 'static>,
        workers: usize,
    ) -> Self {
        let make = move |indices: Vec<usize>| encoder.prepared(&dataset, &preparation, &indices);
        Self {
            batches: Prefetch::new(batches, workers, make),
        }
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batches.size_hint()
    }
}

impl ExactSizeIterator for Loader {}
