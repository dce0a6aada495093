//! A model ready to use: the network, its tokenizer, its images and its manner of speech.

mod assemble;
mod error;
mod request;
mod session;
mod speech;

pub use error::AssembleError;
pub use request::{Request, RequestError};
pub use session::Session;

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::{DType, Device};

use crate::chat::Template;
use crate::checkpoint::Checkpoint;
use crate::component::Component;
use crate::generate::{
    Completion, GenerateError, GenerationConfig, Generator, Listed, Memory, Prompt,
};
use crate::image::{ImageProcessor, Resize, Squares};
use crate::network::{Features, Images, Network};
use crate::numbers::Numbers;
use crate::parameters::{ParameterInfo, parameters};
use crate::recipe::Configured;
use crate::tokens::Tokenizer;
use crate::visual::{SquareTokens, VisualTokens};
use crate::weights::{self, LoadReport, WeightError};

/// An assembled vision-language model.
///
/// It is `Send` and `Sync`: several threads may ask it at once, and none changes what another is
/// told. It is not `Clone`: share it by [`Arc`](std::sync::Arc). (Its [`Network`] is `Clone`, and a
/// clone shares the tensors until one of both is changed.) Each call has a key-value cache of its own
/// while it lasts, and a [`Session`] has one from call to call.
#[derive(Debug)]
pub struct Model {
    network: Network,
    configured: Configured,
    tokenizer: Tokenizer,
    template: Template,
    numbers: Numbers,
    generation: GenerationConfig,
    end_tokens: Vec<i64>,
    loaded: Vec<(Component, Option<LoadReport>)>,
}

impl Model {
    /// The Burn module.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The same model for use: the weights that [`Numbers`] says are packed. They can then neither learn nor be
    /// written; [`packed::unpacked`](crate::packed::unpacked) undoes it.
    #[must_use]
    pub fn packed(self) -> Self {
        let numbers = self.numbers.packed();
        Self {
            numbers,
            network: numbers.settle(self.network),
            ..self
        }
    }

    /// The same model with its network changed; what `change` drops is freed on the way.
    #[must_use]
    pub fn map_network(self, change: impl FnOnce(Network) -> Network) -> Self {
        let network = change(self.network);
        Self { network, ..self }
    }

    /// The Burn module alone.
    #[must_use]
    pub fn into_network(self) -> Network {
        self.network
    }

    /// The components' options and sizes.
    pub fn configured(&self) -> &Configured {
        &self.configured
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The conversation template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// How answers are drawn unless a call says otherwise.
    pub fn generation(&self) -> &GenerationConfig {
        &self.generation
    }

    /// Tokens that end an answer: the tokenizer's, and those of the generation config.
    pub fn end_tokens(&self) -> &[i64] {
        &self.end_tokens
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.network.device()
    }

    /// The type of number of its activations; [`Model::numbers`] has that of its weights.
    pub fn dtype(&self) -> DType {
        self.numbers.activations
    }

    /// The types of number that it holds and computes in.
    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// Its images, made square as `resize` says or, without it, as the recipe does.
    pub fn image_processor(&self, resize: Option<Resize>) -> ImageProcessor {
        self.configured.image_processor(resize)
    }

    /// Tokens that a square takes in a sequence, and so an image of one square.
    pub fn visual_tokens(&self) -> usize {
        self.configured.projector_spec.visual_tokens
    }

    /// Tokens that a square takes in a sequence, and how they lie.
    pub fn square_tokens(&self) -> SquareTokens {
        self.configured.square_tokens
    }

    /// What each component loaded; `None` where its weights were drawn from the seed. An encoder whose
    /// parts have weights of their own is here once for each of them.
    pub fn loaded(&self) -> &[(Component, Option<LoadReport>)] {
        &self.loaded
    }

    /// All parameters by path, `vision.…`, `projector.…`, `llm.…`.
    pub fn parameters(&self) -> Vec<ParameterInfo> {
        parameters(&self.network)
    }

    /// The visual tokens of prepared images (see [`ImageProcessor::process`]). `None` if there is no
    /// image.
    pub fn encode_images(&self, squares: Squares) -> Option<VisualTokens> {
        let images = self.images(squares)?;
        Some(self.project(Features {
            squares: self.network.vision.forward(images.pixels),
            layouts: images.layouts,
        }))
    }

    /// The visual tokens of images whose features are there.
    pub fn project(&self, features: Features) -> VisualTokens {
        let squares = self.network.projector.forward(features.squares);
        let tokens = self.square_tokens();
        self.network.join(squares, &features.layouts, &tokens)
    }

    /// Prepared images on the model's device and in its dtype. `None` if there is no image.
    pub fn images(&self, squares: Squares) -> Option<Images> {
        if squares.layouts.is_empty() {
            return None;
        }
        let processor = &self.configured.images;
        let pixels = processor.tensor(squares.pixels, &self.device());
        Some(Images {
            pixels: pixels.cast(self.dtype()),
            layouts: squares.layouts,
        })
    }

    /// Answers one request as `config` says. `on_text` gets the text as it comes and may break
    /// off: the answer then ends with [`Finish::Cancelled`](crate::Finish::Cancelled) and what it had
    /// said. Reading the prompt and its images, which comes before the first text, is not broken off.
    ///
    /// # Errors
    /// A conversation or image that cannot be read, or a prompt that is too long.
    pub fn generate(
        &self,
        request: &Request,
        config: &GenerationConfig,
        on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, RequestError> {
        self.session().generate(request, config, on_text)
    }

    /// Answers token prompts together. `images` are their visual tokens in order. `on_text` gets the
    /// number of a prompt and more of its answer; it breaks all of them off.
    ///
    /// # Errors
    /// A prompt that is too long.
    pub fn answer(
        &self,
        prompts: &[&[i64]],
        images: Option<VisualTokens>,
        config: &GenerationConfig,
        on_text: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
    ) -> Result<Vec<Completion>, GenerateError> {
        let mut listed = Listed::new(Prompt::all(prompts, images), on_text);
        let most = listed.len();
        self.session().answer(most, config, &mut listed)?;
        Ok(listed.into_answers())
    }

    /// Answers that share what they have in common with those before them.
    pub fn session(&self) -> Session<'_> {
        Session::new(self)
    }

    /// Continues one prompt until an end token or the length that `config` allows, and no stop text.
    pub(crate) fn continue_prompt(
        &self,
        prompt: &[i64],
        images: Option<VisualTokens>,
        config: &GenerationConfig,
    ) -> Result<Completion, GenerateError> {
        let mut ignore = |_: usize, _: &str| ControlFlow::Continue(());
        let mut listed = Listed::new(Prompt::all(&[prompt], images), &mut ignore);
        let generator = self.generator(config, &[]);
        generator.run(&mut Memory::default(), 1, &mut listed)?;
        Ok(listed.into_answers().swap_remove(0))
    }

    fn generator<'a>(&'a self, config: &'a GenerationConfig, stop: &'a [String]) -> Generator<'a> {
        Generator {
            network: &self.network,
            spec: &self.configured.llm_spec,
            cache: self.numbers.cache(),
            tokenizer: &self.tokenizer,
            config,
            end_tokens: &self.end_tokens,
            lead: self.template.lead(),
            stop,
        }
    }

    /// Writes a component's weights to a safetensors file, in its published layout.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, component: Component, path: &Path) -> Result<(), WeightError> {
        let checkpoint = self.checkpoint(component);
        let name = component.name();
        match component {
            Component::Vision => weights::save(&self.network.vision, name, &checkpoint, path),
            Component::Projector => weights::save(&self.network.projector, name, &checkpoint, path),
            Component::Llm => weights::save(&self.network.llm, name, &checkpoint, path),
        }
    }

    fn checkpoint(&self, component: Component) -> Checkpoint {
        self.configured.checkpoint(component)
    }
}
