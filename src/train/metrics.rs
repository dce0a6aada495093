//! The lines in which a run tells of itself.

use serde::{Deserialize, Serialize};

use crate::eval::Evaluation;

/// A line of `metrics.jsonl`: a pure function of the recipe and its data, so that a run that was
/// resumed has the lines of one that was not, bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepMetrics {
    /// The stage's name.
    pub stage: String,
    /// Optimizer step within the stage, from 0.
    pub step: usize,
    /// Mean over the supervised tokens of the batch, before the update.
    pub loss: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Learning rate of this step, of what belongs to no group of the optimizer.
    pub lr: f64,
    /// Learning rates of the optimizer's groups, in the recipe's order; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_lrs: Vec<f64>,
    /// Tokens that the loss is the mean of.
    pub supervised_tokens: usize,
    /// All tokens of the batch, visual ones too, without padding.
    pub tokens: usize,
    /// Samples of the batch.
    pub samples: usize,
}

/// A line of `timings.jsonl`: what a step cost on this machine, this time.
///
/// A step that was done again after a resume has a line for each time; the last one counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepTiming {
    /// The stage's name.
    pub stage: String,
    /// Optimizer step within the stage, from 0.
    pub step: usize,
    /// Wall-clock time of the step, the wait for its batch included.
    pub seconds: f64,
    /// The part of it that the step waited for its batch.
    pub wait_seconds: f64,
    /// Bytes of memory that the process holds after the step; absent where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
    /// The most that the process ever held; absent where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// Images whose features were there; absent where none are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features_found: Option<usize>,
    /// Images that the encoder saw; absent where no features are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features_computed: Option<usize>,
}

/// A line of `timings.jsonl` too: what a score cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScoreTiming {
    /// The stage's name.
    pub stage: String,
    /// As [`Score::step`].
    pub step: usize,
    /// Wall-clock time of all answers, the blind ones too.
    pub score_seconds: f64,
}

/// A line of `scores.jsonl`, as pure as [`StepMetrics`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Score {
    /// The stage in which it was taken.
    pub stage: String,
    /// Optimizer steps of the stage that were done; at its end all of them.
    pub step: usize,
    /// Questions.
    pub questions: usize,
    /// The benchmark's score, 0-1: by default the share of exact answers.
    pub score: f64,
    /// The same with every image replaced by grey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<f64>,
}

impl Score {
    /// After `step` steps of `stage`.
    pub(super) fn new(stage: &str, step: usize, evaluation: &Evaluation) -> Self {
        Self {
            stage: stage.to_owned(),
            step,
            questions: evaluation.answers.len(),
            score: evaluation.score(),
            blind: evaluation.blind_score(),
        }
    }
}
