//! Samples to token ids, and to batches with their pixels.

use menagerie_core::ImageTokens;
use menagerie_core::chat::Template;
use menagerie_core::image::{ImageProcessor, Layout, Squares};
use menagerie_core::recipe::OnBadSample;
use menagerie_core::tokens::{ImagePosition, Sample, Tokenizer};

use super::dataset::Dataset;
use super::error::{DataError, SampleError, chain};
use super::sample::Conversation;
use super::skipped::Skipped;
use crate::features::{Known, Preparation};

/// How a sample's text becomes token ids and labels.
#[derive(Debug, Clone)]
pub struct SampleEncoder {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// How the conversation is written.
    pub template: Template,
    /// Where the images of the first question stand.
    pub image_position: ImagePosition,
    /// What a random position is drawn from, with the sample's id and question.
    pub seed: u64,
    /// Tokens that images take.
    pub images: ImageTokens,
    /// The longest sequence, images at their full length; what is beyond it is cut off.
    pub max_tokens: usize,
}

/// A sample as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encoded {
    /// The sample's id.
    pub id: String,
    /// Token ids; [`IMAGE_TOKEN`](menagerie_core::tokens::IMAGE_TOKEN) stands for an image.
    pub input_ids: Vec<i64>,
    /// The token's own id where it is supervised, else
    /// [`IGNORE`](menagerie_core::tokens::IGNORE); not shifted.
    pub labels: Vec<i64>,
    /// Its images: how each lies in squares.
    pub images: Vec<Layout>,
}

/// Samples of one step, of any lengths, with and without images.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// The samples, in order.
    pub samples: Vec<Encoded>,
    /// The images of all samples one after the other. Each sample owns as many as it has
    /// [`Encoded::images`].
    pub images: Squares,
    /// What is known of each image, if features are kept. The squares of those whose features are known
    /// are not among the pixels.
    pub(crate) known: Vec<Known>,
    /// Samples whose places others took, because they cannot be used; in the order they were tried.
    pub skipped: Vec<Skipped>,
}

impl SampleEncoder {
    /// The ids and labels of sample `index`. Decodes no image, and opens none where all take as many
    /// tokens; where they differ it looks at the size of each.
    ///
    /// # Errors
    /// A template of another tokenizer, or no supervised token, also after the cut to
    /// [`max_tokens`](Self::max_tokens), or an image whose size cannot be read; with the sample's file
    /// and id.
    pub fn encode(&self, dataset: &Dataset, index: usize) -> Result<Encoded, DataError> {
        let sample = dataset.sample(index);
        self.tokens(dataset, sample)
            .map(|(tokens, mut images, _)| {
                images.truncate(tokens.images());
                Encoded {
                    id: sample.id.clone(),
                    images,
                    input_ids: tokens.input_ids,
                    labels: tokens.labels,
                }
            })
            .map_err(|error| dataset.error(sample, error))
    }

    /// Tokens of sample `index` before the cut, images at their full length.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn length(&self, dataset: &Dataset, index: usize) -> Result<usize, DataError> {
        let sample = dataset.sample(index);
        self.tokens(dataset, sample)
            .map(|(.., length)| length)
            .map_err(|error| dataset.error(sample, error))
    }

    /// A sample cut to [`max_tokens`](Self::max_tokens), all its images, and its length before.
    fn tokens(
        &self,
        dataset: &Dataset,
        sample: &Conversation,
    ) -> Result<(Sample, Vec<Layout>, usize), SampleError> {
        let mut turns = sample.turns.clone();
        self.image_position.apply(&mut turns, self.seed, &sample.id);
        let mut tokens = self.tokenizer.encode(&self.template, &turns)?;
        let images = dataset.layouts(sample, &self.images)?;
        let lengths = self.images.square().of_each(&images);
        let length = tokens.expanded_len(&lengths);
        tokens.truncate(self.max_tokens, &lengths)?;
        Ok((tokens, images, length))
    }

    /// The samples `indices` of a dataset with their images.
    ///
    /// With [`OnBadSample::Skip`] the next sample of the data that can be used takes the place of
    /// one that cannot, the first after the last: what a batch holds follows from the data and the
    /// indices alone.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), or an image that cannot be read or decoded; with the sample's
    /// file and id. Where bad samples are skipped, only that all are bad, or an error that is none
    /// of the sample's.
    pub fn batch(
        &self,
        dataset: &Dataset,
        processor: &ImageProcessor,
        indices: &[usize],
    ) -> Result<Batch, DataError> {
        let preparation = Preparation::Pixels(processor.clone());
        self.prepared(dataset, &preparation, indices)
    }

    /// As [`batch`](Self::batch), images prepared in any way.
    pub(crate) fn prepared(
        &self,
        dataset: &Dataset,
        preparation: &Preparation,
        indices: &[usize],
    ) -> Result<Batch, DataError> {
        let mut batch = Batch {
            samples: Vec::with_capacity(indices.len()),
            // An image a sample is the rule.
            images: Squares {
                pixels: Vec::with_capacity(preparation.values(indices.len())),
                layouts: Vec::with_capacity(indices.len()),
            },
            known: Vec::new(),
            skipped: Vec::new(),
        };
        for &index in indices {
            let sample = self.usable(dataset, preparation, index, &mut batch.skipped)?;
            batch.images.extend(sample.images);
            batch.known.extend(sample.known);
            batch.samples.push(sample.encoded);
        }
        Ok(batch)
    }

    /// Sample `index`, or the first after it that can be used.
    fn usable(
        &self,
        dataset: &Dataset,
        preparation: &Preparation,
        index: usize,
        skipped: &mut Vec<Skipped>,
    ) -> Result<Prepared, DataError> {
        let all = dataset.len();
        let mut first = None;
        for index in (index..all).chain(0..index) {
            let error = match self.sample(dataset, preparation, index) {
                Ok(sample) => return Ok(sample),
                Err(error) if dataset.on_bad_sample() == OnBadSample::Error => return Err(error),
                Err(error) => error,
            };
            first.get_or_insert_with(|| chain(&error));
            skipped.push(dataset.fault(index, error)?);
        }
        Err(DataError::AllBad {
            samples: all,
            first: first.unwrap_or_default(),
        })
    }

    fn sample(
        &self,
        dataset: &Dataset,
        preparation: &Preparation,
        index: usize,
    ) -> Result<Prepared, DataError> {
        let encoded = self.encode(dataset, index)?;
        let (mut images, mut all_known) = (Squares::default(), Vec::new());
        for image in &dataset.sample(index).images[..encoded.images.len()] {
            let (squares, known) = dataset.prepare(index, image, preparation)?;
            images.extend(squares);
            all_known.extend(known);
        }
        Ok(Prepared {
            encoded,
            images,
            known: all_known,
        })
    }
}

/// A sample that can be used.
struct Prepared {
    encoded: Encoded,
    images: Squares,
    known: Vec<Known>,
}
