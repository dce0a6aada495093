//! What a stage will cost.

use menagerie_core::component::Component;
use menagerie_core::parameters::ParameterInfo;
use menagerie_core::recipe::Configured;
use menagerie_core::tokens::Tokenizer;
use menagerie_core::{Numbers, Recipe, Stage};
use serde::Serialize;

use super::PlanOptions;
use super::arithmetic::Arithmetic;
use super::error::PlanError;
use super::features::Seen;
use super::lengths::Samples;
use super::memory::Held;
use super::record::Recorder;
use super::shape::{PassShape, SampleShape};
use super::step::{About, Repeats, Step};
use crate::data::{Mix, Order, Passes, SampleSize};
use crate::train::stage::{needs_sizes, pass_options, steps_of};

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
    /// Samples of the largest forward pass.
    pub pass_samples: usize,
    /// Its rows: one a sample, or fewer if they are packed.
    pub rows: usize,
    /// Tokens of its longest row, visual tokens included.
    pub width: usize,
    /// Its images.
    pub images: usize,
    /// The squares that these become.
    pub squares: usize,
    /// Its tokens whose prediction is learned.
    pub supervised: usize,
    /// Memory of its step.
    pub memory: StepMemory,
    /// A pass over all samples; none where their number is not known.
    pub epoch: Option<EpochCost>,
    /// Arithmetic of all steps; where features are kept, the encoder sees every image once.
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
    /// What the process holds for all of it: with what the allocator keeps for later use.
    pub resident: u64,
    /// Images that are prepared for the next passes.
    pub ahead: u64,
    /// What a checkpoint holds while it is written and the steps go on: the values before them.
    pub snapshot: u64,
}

impl StepMemory {
    /// The fullest moment of all, while no checkpoint is written.
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.resident + self.ahead
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

/// A stage by its name, with its samples where they are known.
pub(super) type StageSamples<'p> = (&'p str, &'p Stage, Option<Samples>);

/// What stages are planned from.
pub(super) struct Planner<'p> {
    pub recipe: &'p Recipe,
    pub configured: &'p Configured,
    pub parameters: &'p [ParameterInfo],
    pub tokenizer: Option<&'p Tokenizer>,
    pub options: &'p PlanOptions,
}

impl<'p> Planner<'p> {
    /// Every stage with its samples, where they are known.
    pub(super) fn stages(&self) -> Result<Vec<StageSamples<'p>>, PlanError> {
        let stages = self.recipe.stages().map(|(name, table)| {
            let samples = Samples::open(
                self.recipe,
                self.configured,
                (name, &table.data),
                self.tokenizer,
                self.options.every_sample,
            )?;
            Ok((name, table, samples))
        });
        stages.collect()
    }

    pub(super) fn stage(
        &self,
        name: &str,
        table: &Stage,
        samples: Option<&Samples>,
        seen: Option<&mut Seen>,
    ) -> Result<StageCost, PlanError> {
        let mix = match (samples, self.options.samples) {
            (Some(samples), _) => Some(samples.mix.clone()),
            (None, Some(count)) => Some(Mix::new([(0..count, 1.0)])),
            (None, None) => None,
        };
        let steps = mix.as_ref().map(|mix| steps_of(table, mix.len()));
        let steps = steps.or(table.steps);
        let micro = self.options.micro_batch_size;
        let micro = micro.unwrap_or(table.micro_batch_size());
        let micro = micro.clamp(1, table.batch_size.max(1));
        let again = self.options.checkpoint_blocks;
        let mut planned = table.clone();
        planned.micro_batch_size = Some(micro);
        planned.checkpoint_blocks = again.unwrap_or(table.checkpoint_blocks);
        let table = &planned;
        let epoch_steps = mix.as_ref().map(|mix| mix.len().div_ceil(table.batch_size));
        let order = mix
            .as_ref()
            .map(|mix| self.order(name, table, samples, mix));
        let passes_of = |steps: usize| {
            let order = order.clone()?;
            let shape = |indices: Vec<usize>| {
                let shape = self.pass(table, samples, indices.clone());
                (indices, shape)
            };
            let passes = Passes::new(order, micro, steps).from_step(0);
            Some(passes.map(shape).collect::<Vec<_>>())
        };
        let all = steps.and_then(passes_of);
        let step = |shape: &PassShape, passes: usize| self.step(table, shape, passes);
        let arithmetic = Arithmetic::of(self.configured.square_tokens, |shape| {
            Ok(step(shape, 1)?.flops())
        })?;
        let largest = all
            .iter()
            .flatten()
            .map(|(_, shape)| shape)
            .max_by_key(|shape| shape.slots())
            .cloned();
        let largest = largest.unwrap_or_else(|| PassShape {
            samples: vec![self.longest(table); micro],
            ..self.pass(table, None, Vec::new())
        });
        let passes = table.batch_size.div_ceil(micro);
        // From the second pass on, the gradients of those before are there.
        let largest_step = step(&largest, passes.min(2))?;
        let epoch = epoch_steps.and_then(passes_of);
        let saved = match (seen, &all) {
            (Some(seen), Some(all)) => {
                let resize = table.data.resize;
                seen.stage((name, resize), samples, all, self.square_flops()?)
            }
            _ => 0.0,
        };
        let flops = all.map(|all| {
            let all = all.iter().map(|(_, shape)| arithmetic.flops(shape));
            all.sum::<f64>() - saved
        });
        let trainable = self.trainable(table);
        let checkpoint_bytes = self.checkpoint_bytes(&trainable);
        let [rows, width] = largest.dims();
        Ok(StageCost {
            name: name.to_owned(),
            samples: mix.as_ref().map(Mix::len),
            unusable: samples.map_or(0, |samples| samples.unusable),
            steps,
            passes,
            pass_samples: largest.samples.len(),
            rows,
            width,
            images: largest.images(),
            squares: largest.squares(),
            supervised: largest.supervised(),
            memory: StepMemory {
                passes: largest_step.passes(),
                update: largest_step.updates(),
                resident: largest_step.resident(),
                ahead: self.ahead(table, &largest),
                snapshot: self.snapshot(steps, checkpoint_bytes),
            },
            epoch: epoch.map(|epoch| {
                let exact = samples.is_some_and(|samples| samples.exact);
                EpochCost::of(&epoch, &arithmetic, exact)
            }),
            flops,
            trainable,
            checkpoint_bytes,
        })
    }

    fn order(&self, name: &str, table: &Stage, samples: Option<&Samples>, mix: &Mix) -> Order {
        let images = self.configured.image_tokens(table.data.resize);
        let sizes = match samples {
            _ if !needs_sizes(table) => Vec::new(),
            Some(samples) => samples.dataset.sizes(images.most()),
            None => {
                let alike = SampleSize {
                    length: self.recipe.max_tokens,
                    has_image: true,
                };
                vec![alike; mix.len()]
            }
        };
        Order {
            sampler: table.sampler,
            mix: mix.clone(),
            sizes,
            seed: self.recipe.seed,
            stage: name.to_owned(),
            batch_size: table.batch_size,
        }
    }

    fn pass(&self, table: &Stage, samples: Option<&Samples>, indices: Vec<usize>) -> PassShape {
        let known = samples.and_then(|samples| samples.shapes.as_deref());
        let known = known.filter(|_| self.options.tokens.is_none());
        let longest = self.longest(table);
        let shape = |index: usize| known.map_or(&longest, |shapes| &shapes[index]).clone();
        PassShape {
            samples: indices.into_iter().map(shape).collect(),
            square: self.configured.square_tokens,
            padding: pass_options(table).padding,
        }
    }

    /// A sample of the largest image and as much text as there may be, all of it learned.
    fn longest(&self, table: &Stage) -> SampleShape {
        let images = self.configured.image_tokens(table.data.resize);
        let tokens = self.options.tokens.unwrap_or(self.recipe.max_tokens);
        // One that leaves no room for text is none to learn from.
        let image = images.largest(tokens.saturating_sub(1));
        let text = tokens.saturating_sub(images.square().of(&image)).max(1);
        SampleShape {
            text,
            images: vec![image],
            supervised: text,
        }
    }

    fn step(&self, table: &Stage, shape: &PassShape, passes: usize) -> Result<Step, PlanError> {
        let lora = table.lora.as_ref();
        let targets = lora.map(|lora| lora.targets(self.configured, self.parameters));
        let recorder = Recorder {
            recipe: self.recipe,
            configured: self.configured,
            lora: lora.zip(targets.as_deref()),
        };
        let options = pass_options(table);
        let vocab_size = self.configured.llm_spec.vocab_size;
        let targets = shape.supervised().max(1);
        let losses = targets.div_ceil(options.targets_at_a_time(vocab_size));
        let record = recorder.pass(shape, targets.div_ceil(losses))?;
        let about = About {
            numbers: Numbers::to_train(self.recipe.dtype),
            vocab_size,
        };
        let repeats = Repeats {
            passes,
            losses,
            checkpoint_blocks: options.checkpoint_blocks,
        };
        let learns = |path: &str| table.learns(path);
        Ok(Step::of(&record, learns, about, repeats))
    }

    /// Arithmetic of the encoder for a square.
    fn square_flops(&self) -> Result<f64, PlanError> {
        let recorder = Recorder {
            recipe: self.recipe,
            configured: self.configured,
            lora: None,
        };
        let about = About {
            numbers: Numbers::to_train(self.recipe.dtype),
            vocab_size: self.configured.llm_spec.vocab_size,
        };
        Ok(Step::forward_flops(&recorder.square()?, about))
    }

    fn trainable(&self, table: &Stage) -> Vec<(&'static str, usize)> {
        let lora = table.lora.as_ref();
        let factors = lora.map(|lora| lora.factors(self.configured, self.parameters));
        let factors = factors.unwrap_or_default();
        let count = |component: Component| {
            let prefix = format!("{component}.");
            let all = self.parameters.iter().chain(&factors);
            let learning = all.filter(|info| info.path.starts_with(&prefix));
            let learning = learning.filter(|info| table.learns(&info.path));
            (component.name(), learning.map(ParameterInfo::len).sum())
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

    /// Each worker has two batches ahead, as the loader lets it: of pixels, or of features that are kept.
    fn ahead(&self, table: &Stage, largest: &PassShape) -> u64 {
        let spec = &self.configured.vision_spec;
        let mut square = 3 * spec.image_size * spec.image_size * size_of::<f32>();
        if self.recipe.cache_features {
            let number = Numbers::to_train(self.recipe.dtype).activations.size();
            square = square.max(spec.tokens * spec.feature_size * number);
        }
        (2 * table.data.workers * largest.squares() * square) as u64
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

impl EpochCost {
    fn of(passes: &[(Vec<usize>, PassShape)], arithmetic: &Arithmetic, exact: bool) -> Self {
        let shapes = || passes.iter().map(|(_, shape)| shape);
        let sum = |of: fn(&PassShape) -> usize| shapes().map(of).sum();
        Self {
            tokens: sum(PassShape::tokens),
            padded_tokens: sum(PassShape::slots),
            supervised: sum(PassShape::supervised),
            images: sum(PassShape::images),
            flops: shapes().map(|shape| arithmetic.flops(shape)).sum(),
            exact,
        }
    }
}
