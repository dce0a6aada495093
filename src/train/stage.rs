//! One stage: data in order, forward, backward, step.

use std::sync::Arc;

use menagerie_core::chat::Template;
use menagerie_core::component::Component;
use menagerie_core::parameters::{ParameterInfo, parameters};
use menagerie_core::recipe::{Length, Optimizer, Schedule as ScheduleTable};
use menagerie_core::{Model, Recipe, Stage};

use super::adamw::AdamWConfig;
use super::batches::Batches;
use super::error::TrainError;
use super::observer::StagePlan;
use super::schedule::{Decay, Schedule};
use crate::data::{Dataset, Loader, SampleEncoder};

/// A stage of a recipe with its data open.
#[derive(Debug)]
pub(super) struct StageRun<'r> {
    pub name: &'r str,
    pub table: &'r Stage,
    pub data: Arc<Dataset>,
    pub steps: usize,
    recipe: &'r Recipe,
    template: Template,
    number: (usize, usize),
}

/// Optimizer steps of a stage on so many samples.
pub(super) fn steps_of(table: &Stage, samples: usize) -> usize {
    let batches = samples.div_ceil(table.batch_size).max(1);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    match table.length() {
        Length::Steps(steps) => steps,
        Length::Epochs(epochs) => ((epochs * batches as f64).round() as usize).max(1),
    }
}

impl<'r> StageRun<'r> {
    /// Opens the data and checks that every image is there.
    pub(super) fn open(
        recipe: &'r Recipe,
        name: &'r str,
        table: &'r Stage,
    ) -> Result<Self, TrainError> {
        let data = Dataset::open(&table.data.source())?;
        data.check_images()?;
        let steps = steps_of(table, data.len());
        let place = recipe
            .stages
            .iter()
            .position(|other| other == name)
            .unwrap_or(0);
        Ok(Self {
            name,
            table,
            data: Arc::new(data),
            steps,
            recipe,
            template: recipe.stage_template(name)?,
            number: (place + 1, recipe.stages.len()),
        })
    }

    /// Whether the parameter at `path` learns here.
    pub(super) fn learns(&self, path: &str) -> bool {
        !self
            .table
            .freeze
            .iter()
            .any(|pattern| pattern.matches(path))
    }

    /// Whether any parameter of the component learns here.
    pub(super) fn trains(&self, model: &Model, component: Component) -> bool {
        let prefix = format!("{component}.");
        let parameters = model.parameters();
        let mut own = parameters
            .iter()
            .filter(|info| info.path.starts_with(&prefix));
        own.any(|info| self.learns(&info.path))
    }

    /// Numbers that learn here.
    pub(super) fn trainable(&self, parameters: &[ParameterInfo]) -> usize {
        let learning = parameters.iter().filter(|info| self.learns(&info.path));
        learning.map(ParameterInfo::len).sum()
    }

    pub(super) fn plan(&self, model: &Model) -> StagePlan {
        let all = parameters(model.network());
        let parts = Component::ALL
            .into_iter()
            .filter(|component| self.trains(model, *component));
        StagePlan {
            name: self.name.to_owned(),
            number: self.number,
            steps: self.steps,
            samples: self.data.len(),
            trainable: (
                self.trainable(&all),
                all.iter().map(ParameterInfo::len).sum(),
            ),
            learns: parts.map(|component| component.name().to_owned()).collect(),
        }
    }

    pub(super) fn adamw(&self) -> AdamWConfig {
        let Optimizer::AdamW(table) = &self.table.optimizer;
        AdamWConfig {
            beta1: table.beta1,
            beta2: table.beta2,
            epsilon: table.epsilon,
            weight_decay: table.weight_decay,
        }
    }

    pub(super) fn schedule(&self) -> Schedule {
        let Optimizer::AdamW(table) = &self.table.optimizer;
        let (decay, warmup_ratio) = match &self.table.schedule {
            ScheduleTable::Cosine(cosine) => (Decay::Cosine, cosine.warmup_ratio),
            ScheduleTable::Constant(constant) => (Decay::Constant, constant.warmup_ratio),
        };
        Schedule::new(decay, table.learning_rate, warmup_ratio, self.steps)
    }

    /// The batches from `step` on.
    pub(super) fn loader(&self, model: &Model, step: usize) -> Loader {
        let table = &self.table.data;
        let encoder = SampleEncoder {
            tokenizer: model.tokenizer().clone(),
            template: self.template.clone(),
            image_position: table.image_position,
            seed: self.recipe.seed,
            visual_tokens: model.visual_tokens(),
            max_tokens: self.recipe.max_tokens,
        };
        let processor = model.image_processor(table.resize);
        Loader::new(
            Arc::clone(&self.data),
            encoder,
            processor,
            self.batches().passes_from(step),
            table.workers,
        )
    }

    pub(super) fn batches(&self) -> Batches<'_> {
        Batches {
            table: self.table,
            stage: self.name,
            seed: self.recipe.seed,
            samples: self.data.len(),
            steps: self.steps,
        }
    }
}
