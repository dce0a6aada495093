//! The assembled model as one Burn module: encoder, projector, decoder, and the splice that joins
//! them.

use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::context::{Context, Rows};
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::image::Layout;
use crate::projector::Projector;
use crate::slot::Slot;
use crate::splice::Splice;
use crate::visual::{SquareTokens, VisualTokens};

/// Prepared images on a device.
#[derive(Debug, Clone)]
pub struct Images {
    /// The squares of all images, `[square, channel, height, width]`.
    pub pixels: Tensor<4>,
    /// How the squares of each image lie.
    pub layouts: Vec<Layout>,
}

impl From<Tensor<4>> for Images {
    /// Images of one square each.
    fn from(pixels: Tensor<4>) -> Self {
        let layouts = vec![Layout::Square; pixels.dims()[0]];
        Self { pixels, layouts }
    }
}

/// What the encoder makes of images, on a device.
#[derive(Debug, Clone)]
pub struct Features {
    /// Of the squares of all images, `[square, token, feature]`.
    pub squares: Tensor<3>,
    /// How the squares of each image lie.
    pub layouts: Vec<Layout>,
}

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
    /// `[square, channel, height, width]` -> `[square, visual_token, hidden]`
    #[must_use]
    pub fn encode(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.projector.forward(self.vision.forward(pixels))
    }

    /// The visual tokens of images, from those of their squares:
    /// `[square, visual_token, hidden]` -> `[visual_token, hidden]`. `tokens` are those of a square.
    ///
    /// # Panics
    /// The squares are not those of the images, or a grid is to be joined by a model without the
    /// vector that ends its rows.
    #[must_use]
    pub fn join(
        &self,
        squares: Tensor<3>,
        layouts: &[Layout],
        tokens: &SquareTokens,
    ) -> VisualTokens {
        let [count, each, hidden] = squares.dims();
        let expected: usize = layouts.iter().map(Layout::squares).sum();
        assert_eq!(
            [count, each],
            [expected, tokens.count],
            "squares of the images"
        );
        let mut vectors = squares.reshape([count * each, hidden]);
        if let Some(order) = tokens.order(layouts) {
            let newline = self.projector.newline();
            let newline = newline.expect("a model that joins grids has a vector to end their rows");
            let places = TensorData::new(order.clone(), [order.len()]);
            let places: Tensor<1, Int> = Tensor::from_data(places, &self.device());
            let dtype = vectors.dtype();
            vectors = Tensor::cat(vec![vectors, newline.reshape([1, hidden])], 0);
            // The vector gets the sum of the gradients of all rows: in f32, as in `embed`.
            vectors = vectors.cast(DType::F32).select(0, places).cast(dtype);
        }
        VisualTokens {
            vectors,
            counts: tokens.of_each(layouts),
        }
    }

    /// Embeddings of the rows of `splice` with the visual tokens of `images`, in the order of the
    /// prompts, in their places: `[batch, token, hidden]`.
    #[must_use]
    pub fn embed(&self, splice: &Splice, images: Option<VisualTokens>) -> Tensor<3> {
        let device = self.device();
        let (ids, places) = distinct(&splice.text_ids, &splice.places);
        let count = ids.len();
        let text: Tensor<2, Int> = Tensor::from_data(TensorData::new(ids, [1, count]), &device);
        let text: Tensor<2> = self.llm.embed(text).squeeze_dim(0);
        let [_, hidden] = text.dims();
        let vectors = match images {
            None => text,
            Some(images) => Tensor::cat(vec![text, images.vectors], 0),
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
