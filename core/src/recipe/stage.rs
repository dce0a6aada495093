//! A stage of training as a value: what is frozen, what is learned from, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::data::DataTable;
use super::freeze::FreezePattern;
use super::lora::LoraTable;
use super::optimizer::Optimizer;
use crate::lora::weight_of;

/// A stage of training: `[stage.NAME]`. It starts from what the stage before it left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Stage {
    /// Parts of the model that do not learn: components (`"vision"`), or dotted prefixes of
    /// parameter paths (`"vision.layers.0..20"`, `"llm.layers.*.attention"`).
    #[serde(default)]
    pub freeze: Vec<FreezePattern>,
    /// A low-rank adapter that learns in place of the weights under it, whatever `freeze` says of
    /// them. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraTable>,
    /// Passes over the data; a fraction stops within one. Default 1 unless `steps` is stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub epochs: Option<f64>,
    /// Optimizer steps, in place of `epochs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub steps: Option<usize>,
    /// Samples an optimizer step.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Samples a forward and backward pass; their gradients are accumulated. Default:
    /// `batch_size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub micro_batch_size: Option<usize>,
    /// Whether encoder and decoder keep what goes into each of their blocks and nothing of what
    /// happens inside, which is computed again on the way back: less memory, more time, the same
    /// result but for rounding.
    #[serde(default)]
    pub checkpoint_blocks: bool,
    /// Global gradient norm above which gradients are scaled down; 0 turns clipping off.
    #[serde(default = "default_max_grad_norm")]
    #[schemars(range(min = 0.0))]
    pub max_grad_norm: f64,
    /// A step ends the run if its loss is so many times the smoothed loss before it, and also more
    /// than the logarithm of the vocabulary, which knowing nothing costs; 0 turns this off. A loss
    /// that is infinite or not a number always does.
    #[serde(default = "default_max_loss_ratio")]
    #[schemars(range(min = 0.0))]
    pub max_loss_ratio: f64,
    /// The order of the samples.
    #[serde(default)]
    pub sampler: Sampler,
    /// Whether the samples of a forward pass share rows, no longer than its longest sample, in place
    /// of padding. Changes time and memory, not the result.
    #[serde(default)]
    pub packing: bool,
    /// Whether to score after this stage, if the recipe has `[eval]`.
    #[serde(default = "default_eval")]
    pub eval: bool,
    /// What is learned from.
    pub data: DataTable,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The learning rate over the steps. Default: cosine with a warm-up ratio of 0.03.
    #[serde(default)]
    pub schedule: Schedule,
}

fn default_max_grad_norm() -> f64 {
    1.0
}

fn default_max_loss_ratio() -> f64 {
    20.0
}

fn default_eval() -> bool {
    true
}

/// How long a stage lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// Passes over the data.
    Epochs(f64),
    /// Optimizer steps.
    Steps(usize),
}

impl Stage {
    /// How long it lasts.
    #[must_use]
    pub fn length(&self) -> Length {
        match self.steps {
            Some(steps) => Length::Steps(steps),
            None => Length::Epochs(self.epochs.unwrap_or(1.0)),
        }
    }

    /// Whether the parameter at `path` learns in this stage: a factor of its adapter, or what is
    /// neither frozen nor under the adapter.
    #[must_use]
    pub fn learns(&self, path: &str) -> bool {
        let is_under = |path: &str| self.lora.as_ref().is_some_and(|lora| lora.covers(path));
        if let Some(weight) = weight_of(path) {
            return is_under(weight);
        }
        let is_frozen = self.freeze.iter().any(|pattern| pattern.matches(path));
        !is_frozen && !is_under(path)
    }

    /// Samples a forward and backward pass.
    #[must_use]
    pub fn micro_batch_size(&self) -> usize {
        self.micro_batch_size.unwrap_or(self.batch_size)
    }
}

/// The order of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sampler {
    /// As they lie in the data.
    Sequential,
    /// Shuffled anew each epoch, from the recipe's seed.
    #[default]
    Shuffled,
    /// The batches of `shuffled`, each with its longest samples first, so that samples of like
    /// length share a forward pass of `micro_batch_size`.
    GroupedByLength,
    /// Batches of samples with images and batches of text alone, shuffled; each with its longest
    /// samples first. What is left of both comes last and may share one batch.
    GroupedByModality,
}

/// The learning rate over the steps, by its `type`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Schedule {
    /// Linear warm-up, then half a cosine down to 0.
    Cosine(Cosine),
    /// Linear warm-up, then the peak to the end.
    Constant(Constant),
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Cosine(Cosine {
            warmup_ratio: default_warmup_ratio(),
        })
    }
}

/// The options of `type = "cosine"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cosine {
    /// Share of the steps, rounded up, in which the rate rises from 0.
    #[serde(default = "default_warmup_ratio")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub warmup_ratio: f64,
}

// LLaVA's, in both stages.
fn default_warmup_ratio() -> f64 {
    0.03
}

/// The options of `type = "constant"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Constant {
    /// Share of the steps, rounded up, in which the rate rises from 0.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub warmup_ratio: f64,
}

/// [`Schedule`] as the recipe's deserializer reads a tagged table: as a plain enum.
#[derive(Deserialize)]
#[serde(remote = "Schedule", rename_all = "kebab-case")]
enum ScheduleByType {
    Cosine(Cosine),
    Constant(Constant),
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ScheduleByType::deserialize(deserializer)
    }
}
