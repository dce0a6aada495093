//! Samples to token ids, and to batches with their pixels.

use menagerie_core::chat::Template;
use menagerie_core::image::ImageProcessor;
use menagerie_core::tokens::{EncodeError, ImagePosition, Sample, Tokenizer};

use super::dataset::Dataset;
use super::error::DataError;
use super::sample::Conversation;

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
    /// Tokens that an image takes.
    pub visual_tokens: usize,
    /// The longest sequence, images at their full length; what is beyond it is cut off.
    pub max_tokens: usize,
}

/// A sample as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The sample's id.
    pub id: String,
    /// Token ids; [`IMAGE_TOKEN`](menagerie_core::tokens::IMAGE_TOKEN) stands for an image.
    pub input_ids: Vec<i64>,
    /// The token's own id where it is supervised, else
    /// [`IGNORE`](menagerie_core::tokens::IGNORE); not shifted.
    pub labels: Vec<i64>,
    /// Number of images.
    pub images: usize,
}

/// Samples of one step, of any lengths, with and without images.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The samples, in order.
    pub samples: Vec<Encoded>,
    /// The images of all samples one after the other, `[image, 3, size, size]`, normalised. Each
    /// sample owns as many as its [`Encoded::images`] says.
    pub pixels: Vec<f32>,
}

impl SampleEncoder {
    /// The ids and labels of sample `index`. Opens no image.
    ///
    /// # Errors
    /// A template of another tokenizer, or no supervised token, also after the cut to
    /// [`max_tokens`](Self::max_tokens); with the sample's file and id.
    pub fn encode(&self, dataset: &Dataset, index: usize) -> Result<Encoded, DataError> {
        let sample = dataset.sample(index);
        self.tokens(sample)
            .map(|tokens| Encoded {
                id: sample.id.clone(),
                images: tokens.images(),
                input_ids: tokens.input_ids,
                labels: tokens.labels,
            })
            .map_err(|error| dataset.error(sample, error.into()))
    }

    fn tokens(&self, sample: &Conversation) -> Result<Sample, EncodeError> {
        let mut turns = sample.turns.clone();
        self.image_position.apply(&mut turns, self.seed, &sample.id);
        let mut tokens = self.tokenizer.encode(&self.template, &turns)?;
        tokens.truncate(self.max_tokens, self.visual_tokens)?;
        Ok(tokens)
    }

    /// The samples `indices` of a dataset with their images.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), or an image that cannot be read or decoded; with the sample's
    /// file and id.
    pub fn batch(
        &self,
        dataset: &Dataset,
        processor: &ImageProcessor,
        indices: &[usize],
    ) -> Result<Batch, DataError> {
        let encode = |&index: &usize| self.encode(dataset, index);
        let samples = indices.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        let images: usize = samples.iter().map(|sample| sample.images).sum();
        let mut pixels = Vec::with_capacity(images * processor.values());
        for (&index, encoded) in indices.iter().zip(&samples) {
            for image in &dataset.sample(index).images[..encoded.images] {
                pixels.extend(dataset.pixels(index, image, processor)?);
            }
        }
        Ok(Batch { samples, pixels })
    }
}
