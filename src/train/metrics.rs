//! What a run tells of itself: a line a step, a line a score.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::files::{append, json_line, write_error};
use crate::eval::Evaluation;

/// A line of `metrics.jsonl`.
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
    /// Samples a second, in this step.
    pub samples_per_second: f64,
}

/// A line of `scores.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Score {
    /// The stage after which it was taken.
    pub stage: String,
    /// Questions.
    pub questions: usize,
    /// Share of exact answers, 0-1.
    pub score: f64,
    /// The same with every image replaced by grey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blind: Option<f64>,
    /// Wall-clock time of both.
    pub seconds: f64,
}

impl Score {
    pub(super) fn new(stage: &str, evaluation: &Evaluation) -> Self {
        Self {
            stage: stage.to_owned(),
            questions: evaluation.answers.len(),
            score: evaluation.score(),
            blind: evaluation.blind_score(),
            seconds: evaluation.seconds,
        }
    }
}

/// `metrics.jsonl`, a line at a time.
pub(super) struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    pub(super) fn open(path: &Path) -> Result<Self, TrainError> {
        Ok(Self {
            file: append(path)?,
            path: path.to_owned(),
        })
    }

    pub(super) fn push(&mut self, metrics: &StepMetrics) -> Result<(), TrainError> {
        let line = json_line(metrics);
        self.file
            .write_all(&line)
            .map_err(|source| write_error(&self.path, source))
    }
}
