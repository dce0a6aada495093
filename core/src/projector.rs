//! The contract of a projector: features to the decoder's space.

use std::fmt::Debug;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::checkpoint::Checkpoint;
use crate::decoder::DecoderSpec;
use crate::encoder::EncoderSpec;
use crate::error::BuildError;
use crate::slot::Slot;

/// A projector. An implementor is a Burn [`Module`].
pub trait Projector: Debug + Send + Sync {
    /// `[batch, token, feature]` -> `[batch, visual_token, hidden]`
    fn forward(&self, features: Tensor<3>) -> Tensor<3>;

    /// `[hidden]`, the vector that ends a row of an image of several squares. Core lays it beside the
    /// projector of a model that needs it; a plugin has none.
    fn newline(&self) -> Option<Tensor<1>> {
        None
    }
}

/// What is known of a projector before any weight exists.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectorSpec {
    /// Tokens an image takes in the decoder's sequence.
    pub visual_tokens: usize,
}

/// The options of a projector, as a recipe's `[projector]` table states them. Sizes come from its
/// neighbours.
pub trait ProjectorConfig:
    Serialize + DeserializeOwned + JsonSchema + Clone + Debug + Send + Sync + 'static
{
    /// The module built.
    type Projector: Projector + Module + Sync + 'static;

    /// The name in `[projector] type = "…"`.
    const NAME: &'static str;

    /// The `model_type`s of a `config.json` that this plugin answers to.
    const MODEL_TYPES: &'static [&'static str] = &[];

    /// The smallest sensible model, which the contract checks run on (see [`crate::testing`]).
    fn tiny() -> Self;

    /// Named options for `preset = "…"`.
    fn presets() -> Vec<(&'static str, Self)> {
        Vec::new()
    }

    /// Checks the options against the neighbours and states the sizes.
    ///
    /// # Errors
    /// An option out of range, or neighbours that do not fit.
    fn spec(&self, vision: &EncoderSpec, llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError>;

    /// Rows and columns of the visual tokens, if they lie as the places that they show do, row by row:
    /// images of several squares are joined by it. Default: the encoder's grid, if there is a token
    /// for each of its places and no other.
    fn grid(&self, vision: &EncoderSpec, llm: &DecoderSpec) -> Option<[usize; 2]> {
        let tokens = self.spec(vision, llm).ok()?.visual_tokens;
        let grid = vision.grid.filter(|_| !vision.has_class_token)?;
        (grid[0] * grid[1] == tokens).then_some(grid)
    }

    /// Builds the module with lazily initialised weights.
    ///
    /// # Errors
    /// As [`ProjectorConfig::spec`].
    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        device: &Device,
    ) -> Result<Self::Projector, BuildError>;

    /// How published checkpoints of this projector are read.
    fn checkpoint(&self) -> Checkpoint;

    /// The options that the `config.json` of a whole model states, or nothing if its projector is
    /// another: `mm_projector_type` of the original LLaVA, `projector_hidden_act` and others of
    /// Hugging Face's.
    ///
    /// # Errors
    /// It is this projector, with an option that it does not have.
    fn from_hf(config: &serde_json::Value) -> Result<Option<toml::Table>, BuildError> {
        let _ = config;
        Ok(None)
    }

    /// What the `config.json` of a whole model says of this projector, if that layout has it.
    fn to_hf(&self) -> ProjectorFields {
        ProjectorFields::default()
    }
}

/// A projector as the two layouts of whole models state it; nothing where a layout does not know it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProjectorFields {
    /// Fields of Hugging Face's `LlavaConfig`.
    pub hf: Option<serde_json::Map<String, serde_json::Value>>,
    /// `mm_projector_type` of the original LLaVA.
    pub original: Option<String>,
}

impl<M: Projector + Module + Sync + 'static> From<M> for Slot<dyn Projector> {
    fn from(module: M) -> Self {
        Slot::new(module, |module| module)
    }
}
