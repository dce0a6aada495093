//! What a stage will cost.

use menagerie_core::component::Component;
use menagerie_core::parameters::ParameterInfo;
use menagerie_core::recipe::Configured;
use menagerie_core::tokens::Tokenizer;
use menagerie_core::{Recipe, Stage};
use serde::Serialize;

use super::PlanOptions;
use super::arithmetic::Arithmetic;
use super::error::PlanError;
use super::lengths::{Lengths, Library};
use super::memory::Held;
use super::record::Recorder;
use super::shape::{PassShape, RowShape};
use super::step::Step;
use crate::train::batches::Batches;
use crate::train::stage::steps_of;

/// What a stage will cost.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct StageCost {
    /// Its name.
    pub name: String,
    /// Numbers that learn, by component.
    pub trainable: Vec<(&'static str, usize)>,
    /// Samples of its data; none where that is not known.
    pub samples: Option<usize>,
    /// Samples that cannot be learned from, as far as the texts show.
    pub unusable: usize,
    /// Optimizer steps.
    pub steps: Option<usize>,
    /// Forward passes of a step.
    pub passes: usize,
    /// Rows of the largest forward pass.
    pub rows: usize,
    /// Tokens of its longest row, visual tokens included.
    pub width: usize,
    /// Its images.
    pub images: usize,
    /// Its tokens whose prediction is learned.
    pub supervised: usize,
    /// Memory of its step.
    pub memory: StepMemory,
    /// A pass over all samples; none where their number is not known.
    pub epoch: Option<EpochCost>,
    /// Arithmetic of all steps.
    pub flops: Option<f64>,
    /// Bytes of one of its checkpoints.
    pub checkpoint_bytes: u64,
}

/// The memory of an optimizer step.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct StepMemory {
    /// At the fullest moment of forward and backward passes.
    pub passes: Held,
    /// At the fullest moment of the optimizer's update.
    pub update: Held,
    /// Images that are prepared for the next passes.
    pub ahead: u64,
    /// What a checkpoint holds while it is written and the steps go on: the values before them.
    pub snapshot: u64,
}

impl StepMemory {
    /// The fullest moment of all, while no checkpoint is written.
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.passes.total().max(self.update.total()) + self.ahead
    }
}

/// A pass over the samples of a stage.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct EpochCost {
    /// Tokens, visual ones included.
    pub tokens: usize,
    /// With the padding of shorter rows.
    pub padded_tokens: usize,
    /// Tokens whose prediction is learned.
    pub supervised: usize,
    /// Images.
    pub images: usize,
    /// Multiplications and additions of matrix products, forward and backward.
    pub flops: f64,
    /// Whether every sample was tokenised, and nothing is estimated from some.
    pub exact: bool,
}

/// What stages are planned from.
pub(super) struct Planner<'p> {
    pub recipe: &'p Recipe,
    pub configured: &'p Configured,
    pub parameters: &'p [ParameterInfo],
    pub tokenizer: Option<&'p Tokenizer>,
    pub options: &'p PlanOptions,
}

impl<'p> Planner<'p> {
    /// The samples of every stage, where they are known.
    pub(super) fn lengths(
        &self,
        library: &mut Library,
    ) -> Result<Vec<(&'p str, &'p Stage, Option<Lengths>)>, PlanError> {
        let stages = self.recipe.stages().map(|(name, table)| {
            let Some(dataset) = library.open(&table.data.source())? else {
                return Ok((name, table, None));
            };
            let lengths = Lengths::of(
                dataset,
                self.recipe,
                self.configured,
                (name, &table.data),
                self.tokenizer,
                self.options.every_sample,
            )?;
            Ok((name, table, Some(lengths)))
        });
        stages.collect()
    }

    pub(super) fn stage(
        &self,
        name: &str,
        table: &Stage,
        lengths: Option<Lengths>,
    ) -> Result<StageCost, PlanError> {
        let samples = lengths.as_ref().map(|lengths| lengths.samples);
        let samples = samples.or(self.options.samples);
        let steps = samples.map(|samples| steps_of(table, samples)).or(table.steps);
        let micro = self.options.micro_batch_size.unwrap_or(table.micro_batch_size());
        let micro = micro.min(table.batch_size).max(1);
        let table = &Stage {
            micro_batch_size: Some(micro),
            ..table.clone()
        };
        let all = samples.zip(steps).map(|(samples, steps)| {
            let batches = Batches {
                table,
                stage: name,
                seed: self.recipe.seed,
                samples,
                steps,
            };
            self.passes(&batches, lengths.as_ref())
        });
        let step = |shape: &PassShape, passes: usize| self.step(table, shape, passes);
        let arithmetic = Arithmetic::of(self.configured.projector_spec.visual_tokens, |shape| {
            Ok(step(shape, 1)?.flops())
        })?;
        let largest = match &all {
            Some(passes) => passes.iter().max_by_key(|shape| shape.slots()).cloned(),
            None => None,
        };
        let largest = largest.unwrap_or_else(|| self.made_up(micro));
        let passes = table.batch_size.div_ceil(micro);
        // From the second pass on, the gradients of those before are there.
        let largest_step = step(&largest, passes.min(2))?;
        let epoch = all.as_ref().map(|all| {
            let whole = table.batch_size * steps.unwrap_or(0);
            let share = samples.unwrap_or(0) as f64 / whole.max(1) as f64;
            epoch(all, share, &arithmetic, lengths.as_ref())
        });
        let trainable = self.trainable(table);
        let checkpoint_bytes = self.checkpoint_bytes(&trainable);
        Ok(StageCost {
            name: name.to_owned(),
            samples,
            unusable: lengths.as_ref().map_or(0, |lengths| lengths.unusable),
            steps,
            passes,
            rows: largest.rows.len(),
            width: largest.width(),
            images: largest.images(),
            supervised: largest.supervised(),
            memory: StepMemory {
                passes: largest_step.passes(),
                update: largest_step.updates(),
                ahead: self.ahead(table, &largest),
                snapshot: self.snapshot(steps, checkpoint_bytes),
            },
            epoch,
            flops: all.as_ref().map(|all| {
                all.iter().map(|shape| arithmetic.flops(shape)).sum()
            }),
            trainable,
            checkpoint_bytes,
        })
    }

    fn step(&self, table: &Stage, shape: &PassShape, passes: usize) -> Result<Step, PlanError> {
        let recorder = Recorder {
            recipe: self.recipe,
            configured: self.configured,
        };
        let learns = |path: &str| !table.freeze.iter().any(|pattern| pattern.matches(path));
        Ok(Step::of(
            &recorder.pass(shape)?,
            self.parameters,
            learns,
            self.recipe.dtype.into(),
            self.configured.llm_spec.vocab_size,
            passes,
        ))
    }

    /// The passes of the whole stage.
    fn passes(&self, batches: &Batches<'_>, lengths: Option<&Lengths>) -> Vec<PassShape> {
        let known = lengths.and_then(|lengths| lengths.rows.as_deref());
        let known = known.filter(|_| self.options.tokens.is_none());
        let stand_in = self.made_up(1).rows[0];
        let row = |index: usize| known.map_or(stand_in, |rows| rows[index]);
        let passes = batches.passes_from(0).into_iter();
        let shape = |indices: Vec<usize>| PassShape {
            rows: indices.into_iter().map(row).collect(),
            visual_tokens: self.configured.projector_spec.visual_tokens,
        };
        passes.map(shape).collect()
    }

    /// A pass of `rows` rows of an image and as much text as there may be, all of it learned.
    fn made_up(&self, rows: usize) -> PassShape {
        let visual_tokens = self.configured.projector_spec.visual_tokens;
        let tokens = self.options.tokens.unwrap_or(self.recipe.max_tokens);
        let text = tokens.saturating_sub(visual_tokens).max(1);
        let row = RowShape {
            text,
            images: 1,
            supervised: text,
        };
        PassShape {
            rows: vec![row; rows],
            visual_tokens,
        }
    }

    fn trainable(&self, table: &Stage) -> Vec<(&'static str, usize)> {
        let learns = |path: &str| !table.freeze.iter().any(|pattern| pattern.matches(path));
        let count = |component: Component| {
            let prefix = format!("{component}.");
            let own = self.parameters.iter().filter(|info| {
                info.path.starts_with(&prefix) && learns(&info.path)
            });
            (component.name(), own.map(ParameterInfo::len).sum())
        };
        Component::ALL.into_iter().map(count).collect()
    }

    /// Weights and moments; and f32 masters, if the weights are narrower.
    fn checkpoint_bytes(&self, trainable: &[(&'static str, usize)]) -> u64 {
        let weight = burn::tensor::DType::from(self.recipe.dtype).size();
        let float = size_of::<f32>();
        let master = if weight < float { float } else { 0 };
        let numbers: usize = trainable.iter().map(|(_, numbers)| numbers).sum();
        (numbers * (weight + 2 * float + master)) as u64
    }

    /// Each worker has two batches ahead, as the loader lets it.
    fn ahead(&self, table: &Stage, largest: &PassShape) -> u64 {
        let side = self.configured.vision_spec.image_size;
        let image = 3 * side * side * size_of::<f32>();
        (2 * table.data.workers * largest.images() * image) as u64
    }

    /// Nothing if no checkpoint is written within a stage.
    fn snapshot(&self, steps: Option<usize>, checkpoint_bytes: u64) -> u64 {
        let table = self.recipe.checkpoint.clone().unwrap_or_default();
        let by_steps = table.every_steps;
        let by_steps = by_steps.is_some_and(|every| steps.is_none_or(|steps| every < steps));
        if by_steps || table.every_minutes > 0.0 {
            checkpoint_bytes
        } else {
            0
        }
    }
}

fn epoch(
    all: &[PassShape],
    share: f64,
    arithmetic: &Arithmetic,
    lengths: Option<&Lengths>,
) -> EpochCost {
    let sum = |of: fn(&PassShape) -> usize| all.iter().map(of).sum::<usize>() as f64 * share;
    let whole = |of: fn(&PassShape) -> usize| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rounded = sum(of).round() as usize;
        rounded
    };
    let flops: f64 = all.iter().map(|shape| arithmetic.flops(shape)).sum();
    EpochCost {
        tokens: whole(PassShape::tokens),
        padded_tokens: whole(PassShape::slots),
        supervised: whole(PassShape::supervised),
        images: whole(PassShape::images),
        flops: flops * share,
        exact: lengths.is_some_and(|lengths| lengths.exact),
    }
}
