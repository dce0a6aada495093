//! The assembled model as one Burn module: encoder, projector, decoder, and the splice that joins
//! them.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};

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
        let text: Tensor<2, Int> = Tensor::from_data(
            TensorData::new(splice.text_ids.clone(), [1, splice.text_ids.len()]),
            &device,
        );
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
        let places = TensorData::new(splice.places.clone(), [batch * width]);
        let places: Tensor<1, Int> = Tensor::from_data(places, &device);
        vectors.select(0, places).reshape([batch, width, hidden])
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
