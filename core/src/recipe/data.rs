//! What a stage learns from and what a score is taken on.

use std::fmt::{Display, Formatter};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

/// What becomes of a sample that cannot be learned from: an image that is missing or broken, a text
/// that cannot be used, or nothing to learn, also after the cut to `max_tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadSample {
    /// The run ends with an error that names it.
    #[default]
    Error,
    /// The next usable sample of the data takes its place in the batch, and it is listed in
    /// `skipped.jsonl`.
    Skip,
}

/// The data of a stage: `[stage.NAME.data]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DataTable {
    /// LLaVA `.json` or `.jsonl` files, WebDataset `.tar` shards or `.parquet` files, one or a list;
    /// a folder stands for the shards and Parquet files in it. Relative to the recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations: Option<OneOrMany<PathBuf>>,
    /// Several data sets with weights, in place of `conversations`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mix: Vec<MixedSet>,
    /// The folder that image names are relative to. Shards bring their images, and so may Parquet
    /// files. Relative to the recipe.
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
    /// What becomes of a sample that cannot be learned from.
    #[serde(default)]
    pub on_bad_sample: OnBadSample,
}

/// One of several data sets: an entry of `mix`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MixedSet {
    /// Its files, as `conversations` of the table. Relative to the recipe.
    pub conversations: OneOrMany<PathBuf>,
    /// The folder of its images. Default: the table's. Relative to the recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// What its samples are. Default: the table's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<Turns>,
    /// Which text of its samples is learned. Default: the table's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<DataText>,
    /// How often each of its samples comes in an epoch; with 0.5 one half in the first, the other in
    /// the second.
    #[serde(default = "default_weight")]
    #[schemars(range(min = 0.0))]
    pub weight: f64,
}

fn default_weight() -> f64 {
    1.0
}

/// Where samples come from, and what one of them is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSource {
    /// LLaVA JSON or JSON lines, tar shards, Parquet files, or folders of these two.
    pub paths: Vec<PathBuf>,
    /// The folder that the image names of JSON and Parquet files are relative to.
    pub images: Option<PathBuf>,
    /// Whole conversations or single questions.
    pub turns: Turns,
    /// Which text of a sample is learned.
    pub text: DataText,
    /// What becomes of a sample that cannot be used.
    pub on_bad_sample: OnBadSample,
}

impl DataTable {
    /// The data sets to learn from, each with its weight: the entries of `mix`, or `conversations`
    /// with weight 1.
    #[must_use]
    pub fn sources(&self) -> Vec<(DataSource, f64)> {
        let own = self.conversations.iter().map(|paths| MixedSet {
            conversations: paths.clone(),
            images: None,
            turns: None,
            text: None,
            weight: default_weight(),
        });
        let sets = own.chain(self.mix.iter().cloned());
        sets.map(|set| {
            let source = DataSource {
                paths: set.conversations.to_vec(),
                images: set.images.or_else(|| self.images.clone()),
                turns: set.turns.unwrap_or(self.turns),
                text: set.text.unwrap_or(self.text),
                on_bad_sample: self.on_bad_sample,
            };
            (source, set.weight)
        })
        .collect()
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
            on_bad_sample: OnBadSample::Error,
        }
    }
}

fn default_workers() -> usize {
    2
}

/// Questions with known answers: `[eval.data]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EvalData {
    /// LLaVA `.json` or `.jsonl` files, WebDataset `.tar` shards or `.parquet` files, one or a list;
    /// a folder stands for the shards and Parquet files in it. Relative to the recipe.
    pub conversations: OneOrMany<PathBuf>,
    /// The folder that image names are relative to. Shards bring their images, and so may Parquet
    /// files. Relative to the recipe.
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
#[non_exhaustive]
pub struct EvalTable {
    /// The questions.
    pub data: EvalData,
    /// The benchmark that puts the questions and marks the answers. Default: `exact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark: Option<String>,
    /// The benchmark's options; `menagerie plugins NAME` lists them. Default: none is stated.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
    /// Optimizer steps of a stage between two scores. Absent: one score, after the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub every_steps: Option<usize>,
    /// Questions asked, from the first. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub limit: Option<usize>,
    /// Questions answered at a time.
    #[serde(default = "default_eval_batch_size")]
    pub batch_size: usize,
    /// Whether to score again with every image replaced by grey.
    #[serde(default = "default_blind")]
    pub blind: bool,
    /// Longest answer, in tokens. Default: as the benchmark says; 16 unless it says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_new_tokens: Option<usize>,
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
