//! One stage: data in order, forward, backward, step.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::tensor::Tensor;
use menagerie_core::network::Network;
use menagerie_core::parameters::{ParameterInfo, parameters, seed_of};
use menagerie_core::recipe::{self, Length};
use menagerie_core::{Model, Recipe, Stage};

use super::adamw::{AdamW, AdamWConfig};
use super::error::TrainError;
use super::frozen::Fingerprint;
use super::gradients::GradientSet;
use super::loss::loss_sum;
use super::observer::{Observer, StagePlan};
use super::run::{RunFolder, StepMetrics};
use super::schedule::{Decay, Schedule};
use super::trainable;
use crate::data::{Batch, Dataset, Encoder, Loader, order};

/// A stage of a recipe with its data open.
#[derive(Debug)]
pub(super) struct StageRun<'r> {
    pub name: &'r str,
    pub table: &'r Stage,
    pub data: Dataset,
    pub steps: usize,
    recipe: &'r Recipe,
    number: (usize, usize),
}

/// How a stage ended.
pub(super) struct Outcome {
    pub model: Model,
    /// False if it was interrupted.
    pub finished: bool,
    pub seconds: f64,
}

impl<'r> StageRun<'r> {
    pub(super) fn open(recipe: &'r Recipe, name: &'r str, table: &'r Stage) -> Result<Self, TrainError> {
        let data = Dataset::open(&table.data.source())?;
        let batches = data.len().div_ceil(table.batch_size).max(1);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let steps = match table.length() {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => ((epochs * batches as f64).round() as usize).max(1),
        };
        let place = recipe.stages.iter().position(|other| other == name).unwrap_or(0);
        Ok(Self {
            name,
            table,
            data,
            steps,
            recipe,
            number: (place + 1, recipe.stages.len()),
        })
    }

    pub(super) fn learns(&self, path: &str) -> bool {
        !self.table.freeze.iter().any(|pattern| pattern.matches(path))
    }
}
