//! One stage: data in order, forward, backward, step.

use std::sync::Arc;

use menagerie_core::chat::Template;
use menagerie_core::component::Component;
use menagerie_core::lora::{self, is_factor};
use menagerie_core::parameters::{ParameterInfo, parameters, seed_of};
use menagerie_core::recipe::{Configured, Length, Optimizer};
use menagerie_core::splice::Padding;
use menagerie_core::{Model, Recipe, Stage};

use super::adamw::AdamWConfig;
use super::error::TrainError;
use super::observer::StagePlan;
use super::pass::PassOptions;
use super::rates::StageRates;
use crate::data::{Dataset, Loader, Mix, OnBadSample, Order, Passes, SampleEncoder, Sampler};
use crate::features::{FeatureCache, Preparation};

/// A stage of a recipe with its data open.
#[derive(Debug)]
pub(super) struct StageRun<'r> {
    pub name: &'r str,
    pub table: &'r Stage,
    pub data: Arc<Dataset>,
    pub steps: usize,
    mix: Mix,
    /// Tells the adapters of the network which pass they are in.
    pub adapter_passes: lora::Passes,
    recipe: &'r Recipe,
    template: Template,
    number: (usize, usize),
}

/// Optimizer steps of a stage whose epoch has so many samples.
pub(super) fn steps_of(table: &Stage, samples: usize) -> usize {
    let batches = samples.div_ceil(table.batch_size);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    match table.length() {
        Length::Steps(steps) => steps,
        Length::Epochs(epochs) => ((epochs * batches as f64).round() as usize).max(1),
    }
}

/// How a pass of the stage is made.
pub(super) fn pass_options(table: &Stage) -> PassOptions {
    PassOptions {
        checkpoint_blocks: table.checkpoint_blocks,
        padding: if table.packing {
            Padding::Packed
        } else {
            Padding::Right
        },
        ..PassOptions::default()
    }
}

/// Whether the stage's sampler looks at the sizes of samples.
pub(super) fn needs_sizes(table: &Stage) -> bool {
    match table.sampler {
        Sampler::Sequential | Sampler::Shuffled => false,
        Sampler::GroupedByLength | Sampler::GroupedByModality => true,
    }
}

impl<'r> StageRun<'r> {
    /// Opens the data and checks that every image is there, unless bad samples are skipped.
    pub(super) fn open(
        recipe: &'r Recipe,
        name: &'r str,
        table: &'r Stage,
    ) -> Result<Self, TrainError> {
        let (sources, weights): (Vec<_>, Vec<_>) = table.data.sources().into_iter().unzip();
        let data = Dataset::open_all(&sources)?;
        // A missing image is one bad sample; the loader skips it.
        if data.on_bad_sample() == OnBadSample::Error {
            data.check_images()?;
        }
        let mix = Mix::new(data.sets().iter().cloned().zip(weights));
        let steps = steps_of(table, mix.len());
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
            mix,
            adapter_passes: lora::Passes::default(),
            recipe,
            template: recipe.stage_template(name)?,
            number: (place + 1, recipe.stages.len()),
        })
    }

    /// Whether the parameter at `path` learns here.
    pub(super) fn learns(&self, path: &str) -> bool {
        self.table.learns(path)
    }

    /// Whether the model is used once the stage is done: by a score or another stage.
    pub(super) fn is_followed(&self) -> bool {
        let (number, count) = self.number;
        number < count || (self.table.eval && self.recipe.eval.is_some())
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

    /// Whether a parameter of the run, an adapter's of this rank or the model's own, learns here.
    pub(super) fn has(&self, info: &ParameterInfo) -> bool {
        let lora = self.table.lora.as_ref();
        let fits =
            !is_factor(&info.path) || lora.is_some_and(|lora| info.shape.contains(&lora.rank));
        fits && self.learns(&info.path)
    }

    /// Numbers that learn here, of the model's own `parameters` and of an adapter over them.
    pub(super) fn trainable(&self, configured: &Configured, parameters: &[ParameterInfo]) -> usize {
        let learning = parameters.iter().filter(|info| self.learns(&info.path));
        let lora = self.table.lora.as_ref();
        let factors = lora.map(|lora| lora.factors(configured, parameters));
        let factors = factors.unwrap_or_default();
        learning.chain(&factors).map(ParameterInfo::len).sum()
    }

    /// What is drawn within a pass follows from this alone, so that a resumed run repeats it.
    pub(super) fn pass_seed(&self, step: usize, pass: usize) -> u64 {
        let pass = format!("pass {pass} of step {step} of stage {}", self.name);
        seed_of(self.recipe.seed, &pass)
    }

    pub(super) fn plan(&self, model: &Model) -> StagePlan {
        let all = parameters(model.network());
        let learning = all.iter().filter(|info| self.learns(&info.path));
        let parts = Component::ALL
            .into_iter()
            .filter(|component| self.trains(model, *component));
        StagePlan {
            name: self.name.to_owned(),
            number: self.number,
            steps: self.steps,
            samples: self.data.len(),
            trainable: (
                learning.map(ParameterInfo::len).sum(),
                all.iter().map(ParameterInfo::len).sum(),
            ),
            learns: parts.map(|component| component.name().to_owned()).collect(),
        }
    }

    /// How a pass is made.
    pub(super) fn pass(&self) -> PassOptions {
        pass_options(self.table)
    }

    pub(super) fn adamw(&self) -> AdamWConfig {
        let Optimizer::AdamW(table) = &self.table.optimizer;
        AdamWConfig {
            beta1: table.beta1,
            beta2: table.beta2,
            epsilon: table.epsilon,
        }
    }

    /// What each parameter of `model` learns with, step by step.
    pub(super) fn rates(&self, model: &Model) -> StageRates<'_> {
        StageRates::new(self.table, &parameters(model.network()), self.steps)
    }

    /// The batches of `passes` from `step` on, with the features of images that `cache` knows.
    pub(super) fn loader(
        &self,
        model: &Model,
        passes: &Passes,
        step: usize,
        cache: Option<Arc<FeatureCache>>,
    ) -> Loader {
        let table = &self.table.data;
        let encoder = SampleEncoder {
            tokenizer: model.tokenizer().clone(),
            template: self.template.clone(),
            image_position: table.image_position,
            seed: self.recipe.seed,
            images: model.configured().image_tokens(table.resize),
            max_tokens: self.recipe.max_tokens,
        };
        let preparation = match cache {
            Some(cache) => Preparation::Features(cache),
            None => Preparation::Pixels(model.image_processor(table.resize)),
        };
        Loader::prepared(
            Arc::clone(&self.data),
            encoder,
            preparation,
            passes.from_step(step),
            table.workers,
        )
    }

    /// The forward passes of the whole stage.
    pub(super) fn passes(&self, model: &Model) -> Passes {
        let sizes = if needs_sizes(self.table) {
            let images = model.configured().image_tokens(self.table.data.resize);
            self.data.sizes(images.most())
        } else {
            Vec::new()
        };
        let order = Order {
            sampler: self.table.sampler,
            mix: self.mix.clone(),
            sizes,
            seed: self.recipe.seed,
            stage: self.name.to_owned(),
            batch_size: self.table.batch_size,
        };
        Passes::new(order, self.table.micro_batch_size(), self.steps)
    }
}
