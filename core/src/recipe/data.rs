//! What a stage learns from and what a score is taken on.

use std::fmt::{Display, Formatter};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::image::Resize;
pub use crate::one_or_many::OneOrMany;
pub use crate::tokens::ImagePosition;

/// What one sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Turns {
    /// A whole conversation.
    #[default]
    Together,
    /// Each question with its answer, and with the conversation's images.
    Separate,
}

/// What is said of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataText {
    /// The sample's `conversations`.
    #[default]
    Conversations,
    /// The sample's `caption`, as the answer to its images alone.
    Caption,
}

/// The data of a stage: `[stage.NAME.data]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataTable {
    /// LLaVA `.json` files or WebDataset `.tar` shards, one or a list; a folder stands for the
    /// shards in it. Relative to the recipe.
    pub conversations: OneOrMany<PathBuf>,
    /// The folder that image names are relative to. Shards bring their images. Relative to the
    /// recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// Conversation template. Default: `llm.chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// How an image becomes the encoder's square. Default: `vision.resize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// Where the images of a sample stand in its first question.
    #[serde(default)]
    pub image_position: ImagePosition,
    /// Whether a sample is a whole conversation or one question with its answer.
    #[serde(default)]
    pub turns: Turns,
    /// Which text of a sample is learned.
    #[serde(default)]
    pub text: DataText,
    /// Threads that decode and resize images ahead of the step; with 0 the step does it itself.
    #[serde(default = "default_workers")]
    pub workers: usize,
}

/// Where samples come from, and what one of them is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSource {
    /// LLaVA JSON or JSON lines, tar shards, or folders of shards.
    pub paths: Vec<PathBuf>,
    /// The folder that the image names of JSON files are relative to.
    pub images: Option<PathBuf>,
    /// Whole conversations or single questions.
    pub turns: Turns,
    /// Which text of a sample is learned.
    pub text: DataText,
}

impl DataTable {
    /// The samples to learn from.
    #[must_use]
    pub fn source(&self) -> DataSource {
        DataSource {
            paths: self.conversations.to_vec(),
            images: self.images.clone(),
            turns: self.turns,
            text: self.text,
        }
    }
}

impl EvalData {
    /// The questions, each a sample of its own.
    #[must_use]
    pub fn source(&self) -> DataSource {
        DataSource {
            paths: self.conversations.to_vec(),
            images: self.images.clone(),
            turns: Turns::Separate,
            text: DataText::Conversations,
        }
    }
}

fn default_workers() -> usize {
    2
}

/// Questions with known answers: `[eval.data]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvalData {
    /// LLaVA `.json` files or WebDataset `.tar` shards, one or a list; a folder stands for the
    /// shards in it. Relative to the recipe.
    pub conversations: OneOrMany<PathBuf>,
    /// The folder that image names are relative to. Shards bring their images. Relative to the
    /// recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// Conversation template. Default: `llm.chat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// How an image becomes the encoder's square. Default: `vision.resize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
}

/// The score taken after each stage: `[eval]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvalTable {
    /// The questions.
    pub data: EvalData,
    /// Optimizer steps of a stage between two scores. Absent: one score, after the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub every_steps: Option<usize>,
    /// Questions answered at a time.
    #[serde(default = "default_eval_batch_size")]
    pub batch_size: usize,
    /// Whether to score again with every image replaced by grey.
    #[serde(default = "default_blind")]
    pub blind: bool,
    /// Longest answer, in tokens.
    #[serde(default = "default_max_new_tokens")]
    pub max_new_tokens: usize,
    /// Questions shown in the report with image, answer and truth.
    #[serde(default = "default_samples")]
    pub samples: usize,
}

fn default_eval_batch_size() -> usize {
    64
}

fn default_blind() -> bool {
    true
}

fn default_max_new_tokens() -> usize {
    16
}

fn default_samples() -> usize {
    12
}

macro_rules! display_as_written {
    ($($type:ty),*) => {$(
        impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                self.serialize(f)
            }
        }
    )*};
}

display_as_written!(Resize, ImagePosition, Turns);
