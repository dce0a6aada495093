//! The assembled model as one Burn module: encoder, projector, decoder, and the splice that joins
//! them.

use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::context::{Context, Rows};
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::projector::Projector;
use crate::slot::Slot;
use crate::splice::Splice;

/// Encoder, projector and decoder. Its fields are the names of the components in a recipe, so a
/// parameter's path starts with them: `vision.…`, `projector.…`, `llm.…`.
#[derive(Module, Debug)]
pub struct Network {
    /// Pixels to features.
    pub vision: Slot<dyn Encoder>,
    /// Features to visual tokens.
    pub projector: Slot<dyn Projector>,
    /// Tokens to hidden states.
    pub llm: Slot<dyn Decoder>,
}

impl Network {
    /// `[image, channel, height, width]` -> `[image, visual_token, hidden]`
    #[must_use]
    pub fn encode(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.projector.forward(self.vision.forward(pixels))
    }

    /// Embeddings of the rows of `splice` with the visual tokens of `images`
    /// (`[image, visual_token, hidden]`, in the order of the prompts) in their places:
    /// `[batch, token, hidden]`.
    #[must_use]
    pub fn embed(&self, splice: &Splice, images: Option<Tensor<3>>) -> Tensor<3> {
        let device = self.device();
        let (ids, places) = distinct(&splice.text_ids, &splice.places);
        let count = ids.len();
        let text: Tensor<2, Int> = Tensor::from_data(TensorData::new(ids, [1, count]), &device);
        let text: Tensor<2> = self.llm.embed(text).squeeze_dim(0);
        let [_, hidden] = text.dims();
        let vectors = match images {
            None => text,
            Some(images) => {
                let [count, tokens, _] = images.dims();
                Tensor::cat(vec![text, images.reshape([count * tokens, hidden])], 0)
            }
        };
        let [batch, width] = [splice.batch(), splice.width()];
        let places = TensorData::new(places, [batch * width]);
        let places: Tensor<1, Int> = Tensor::from_data(places, &device);
        let dtype = vectors.dtype();
        let slots = vectors.cast(DType::F32).select(0, places).cast(dtype);
        slots.reshape([batch, width, hidden])
    }

    /// Hidden states of whole rows: `[batch, token, hidden]` -> the same.
    #[must_use]
    pub fn hidden(&self, embeds: Tensor<3>, rows: &Rows) -> Tensor<3> {
        let mut context = Context::new(rows, &self.device());
        self.llm.forward(embeds, &mut context)
    }

    /// The device of the weights, without autodiff.
    #[must_use]
    pub fn device(&self) -> burn::tensor::Device {
        let devices = self.llm.collect_devices(Vec::new());
        devices
            .into_iter()
            .next()
            .expect("a decoder has parameters")
            .inner()
    }
}

/// Every text token once, and for each slot its place among these and the visual tokens after them.
///
/// A token's embedding gets the sum of the gradients of all its slots. So that this sum is taken in
/// f32, it must be that of the choice of slots, and not that of the embedding table, which is in the
/// model's dtype.
fn distinct(text_ids: &[i32], places: &[i32]) -> (Vec<i32>, Vec<i32>) {
    let as_i32 = |number: usize| i32::try_from(number).expect("fewer than 2^31 tokens");
    let mut ids = Vec::new();
    let mut known = HashMap::new();
    let text: Vec<i32> = text_ids
        .iter()
        .map(|&id| {
            *known.entry(id).or_insert_with(|| {
                ids.push(id);
                as_i32(ids.len() - 1)
            })
        })
        .collect();
    let saved = as_i32(text_ids.len() - ids.len());
    let place = |place: &i32| {
        let index = usize::try_from(*place).expect("a place is not negative");
        text.get(index).copied().unwrap_or(place - saved)
    };
    let places = places.iter().map(place).collect();
    (ids, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_embedded_once_wherever_it_stands() {
        let (ids, places) = distinct(&[5, 9, 5, 5, 7], &[0, 5, 6, 1, 2, 3, 4, 0]);
        assert_eq!(ids, [5, 9, 7]);
        assert_eq!(places, [0, 3, 4, 1, 0, 0, 2, 0]);
    }
}
