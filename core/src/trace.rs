//! What a model computes on the way to an answer, for comparison with another implementation.

use std::path::Path;

use burn::tensor::{DType, Tensor, TensorData};

use crate::generate::{GenerationConfig, check_length};
use crate::model::{Model, Request, RequestError};
use crate::splice::{Padding, Splice};
use crate::weights::{self, WeightError};

/// The values of one prompt on its way through a model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Trace {
    /// Names and values, in the order of the computation:
    /// - `pixel_values`: `[square, 3, size, size]`, prepared and normalised
    /// - `features`: `[square, token, feature]`, the hidden state that the projector gets
    /// - `projected`: `[square, visual_token, hidden]`
    /// - `input_ids`: `[1, token]`, [`IMAGE_TOKEN`](crate::tokens::IMAGE_TOKEN) at each image
    /// - `logits`: `[1, token, vocab]` at every position of the prompt, visual tokens in place
    /// - `generated`: `[token]`, if asked: the greedy continuation, its end token included
    ///
    /// The first three are absent without an image.
    pub tensors: Vec<(&'static str, TensorData)>,
}

impl Model {
    /// Follows a request through the model. With `max_new_tokens` it is continued greedily, without
    /// stop texts and penalties, until an end token or so many tokens.
    ///
    /// # Errors
    /// A conversation or image that cannot be read, or a prompt that is too long.
    pub fn trace(
        &self,
        request: &Request,
        max_new_tokens: Option<usize>,
    ) -> Result<Trace, RequestError> {
        let images = self.images(self.squares(request)?);
        let ids = self.prompt(request)?;
        let network = self.network();
        let mut tensors = Vec::new();
        let images = images.map(|images| {
            let features = network.vision.forward(images.pixels.clone());
            let projected = network.projector.forward(features.clone());
            tensors.push(("pixel_values", data(images.pixels)));
            tensors.push(("features", data(features)));
            tensors.push(("projected", data(projected.clone())));
            network.join(projected, &images.layouts, &self.square_tokens())
        });
        let shape = [1, ids.len()];
        tensors.push(("input_ids", TensorData::new(ids.clone(), shape)));

        let counts = images.as_ref().map_or(&[][..], |images| &images.counts);
        let splice = Splice::new(&[&ids], counts, Padding::Right);
        let limit = self.configured().llm_spec.max_position_embeddings;
        check_length(splice.width(), limit)?;
        let hidden = network.hidden(network.embed(&splice, images.clone()), &splice.rows);
        tensors.push(("logits", data(network.llm.logits(hidden))));

        if let Some(max_new_tokens) = max_new_tokens {
            let config = GenerationConfig {
                max_new_tokens,
                ..GenerationConfig::default()
            };
            let answer = self.continue_prompt(&ids, images, &config)?;
            let end = answer.end_token.into_iter();
            let generated: Vec<i64> = answer.ids.into_iter().chain(end).collect();
            let shape = [generated.len()];
            tensors.push(("generated", TensorData::new(generated, shape)));
        }
        Ok(Trace { tensors })
    }
}

impl Trace {
    /// Writes the values to a safetensors file, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), WeightError> {
        weights::save_data(&self.tensors, path)
    }
}

/// Values as they were computed; two bytes a number stay two bytes.
fn data<const D: usize>(tensor: Tensor<D>) -> TensorData {
    let data = tensor.into_data();
    match data.dtype() {
        DType::Flex32 => data.convert::<f32>(),
        _ => data,
    }
}
