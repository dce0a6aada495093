//! The contract of a vision encoder: pixels to features.

use std::fmt::Debug;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::blocks::EncoderBlocks;
use crate::checkpoint::Checkpoint;
use crate::error::BuildError;
use crate::hf::HfParts;
use crate::image::Resize;
use crate::slot::Slot;

/// A vision encoder. An implementor is a Burn [`Module`].
pub trait Encoder: Debug + Send + Sync {
    /// `[batch, channel, height, width]` (normalised by the spec's statistics) ->
    /// `[batch, token, feature]`
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3>;

    /// The same pass in its parts, for training with `checkpoint_blocks`. Default: it has none.
    fn blocks(&self) -> Option<&dyn EncoderBlocks> {
        None
    }
}

/// What is known of an encoder before any weight exists. Its neighbours read their sizes here.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderSpec {
    /// Side of the square input, in pixels.
    pub image_size: usize,
    /// Tokens an image gives, a class token included if the encoder keeps one.
    pub tokens: usize,
    /// Rows and columns of the patch grid behind the tokens, if there is one.
    pub grid: Option<[usize; 2]>,
    /// Whether the first token is a class token and not a place in the image.
    pub has_class_token: bool,
    /// Features of a token.
    pub feature_size: usize,
    /// Mean of each channel (red, green, blue) in 0-1, subtracted from the pixels.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, which divides the pixels.
    pub std: [f32; 3],
}

/// The options of an encoder, as a recipe's `[vision]` table states them.
pub trait EncoderConfig:
    Serialize + DeserializeOwned + JsonSchema + Clone + Debug + Send + Sync + 'static
{
    /// The module built.
    type Encoder: Encoder + Module + Sync + 'static;

    /// The name in `[vision] type = "…"`.
    const NAME: &'static str;

    /// The `model_type`s of a `config.json` that this plugin answers to.
    const MODEL_TYPES: &'static [&'static str] = &[];

    /// Options that a checkpoint's config suggests and a recipe may state otherwise, as they change
    /// no weight: which hidden state is read.
    const CHOICES: &'static [&'static str] = &[];

    /// How the published weights want an image made square, where a recipe does not say.
    const RESIZE: Resize = Resize::Crop;

    /// Hub ids of published weights, each with the preset of its sizes. Configs of the original
    /// LLaVA name their encoder by such an id and state none of its sizes.
    const PUBLISHED: &'static [(&'static str, &'static str)] = &[];

    /// Whether it is made of other encoders. Its option `parts` then lists their tables, each with
    /// `type`, `preset`, `weights` and that plugin's options as `[vision]` itself has them, and its
    /// module holds them as `parts.0`, `parts.1` and so on, each of which loads its own weights.
    const HAS_PARTS: bool = false;

    /// The smallest sensible model, which the contract checks run on (see [`crate::testing`]).
    fn tiny() -> Self;

    /// Named sizes for `preset = "…"`.
    fn presets() -> Vec<(&'static str, Self)> {
        Vec::new()
    }

    /// Checks the options and states the sizes.
    ///
    /// # Errors
    /// An option out of range, or options that exclude each other.
    fn spec(&self) -> Result<EncoderSpec, BuildError>;

    /// Builds the module with lazily initialised weights.
    ///
    /// # Errors
    /// As [`EncoderConfig::spec`].
    fn init(&self, device: &Device) -> Result<Self::Encoder, BuildError>;

    /// How published checkpoints of this encoder are read.
    fn checkpoint(&self) -> Checkpoint;

    /// The options that a `config.json` states: Hugging Face's, the encoder's own or a whole
    /// model's, or the original LLaVA's.
    ///
    /// # Errors
    /// A field that is missing or of the wrong kind.
    fn from_hf(config: &serde_json::Value) -> Result<toml::Table, BuildError> {
        let _ = config;
        Ok(toml::Table::new())
    }

    /// What a Hugging Face `config.json` says of this encoder, the inverse of
    /// [`EncoderConfig::from_hf`]. None: transformers has no such model.
    fn to_hf(&self) -> Option<HfParts> {
        None
    }
}

impl<M: Encoder + Module + Sync + 'static> From<M> for Slot<dyn Encoder> {
    fn from(module: M) -> Self {
        Slot::new(module, |module| module)
    }
}
