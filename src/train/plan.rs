//! What a recipe will cost, told before it runs: memory, arithmetic, steps, disk.
//!
//! Nothing is estimated by a formula of some architecture. A step of every stage is run, forward,
//! backward and update, on a device that records operations and holds no memory (Burn's capture
//! device), whatever plugins the recipe names. Of the record it is known which tensors there are at
//! each moment, and the arithmetic of each product.

mod arithmetic;
mod disk;
mod error;
mod features;
mod flops;
mod lengths;
mod memory;
mod questions;
mod record;
mod replay;
mod shape;
mod stage;
mod step;
mod tape;

pub use error::PlanError;
pub use features::FeatureCost;
pub use memory::Held;
pub use questions::ScoreCost;
pub use stage::{EpochCost, StageCost, StepMemory};

use burn::tensor::Device;
use menagerie_core::component::Component;
use menagerie_core::parameters::{ParameterInfo, parameters};
use menagerie_core::recipe::{Configured, Dtype};
use menagerie_core::tokens::Tokenizer;
use menagerie_core::{Numbers, Recipe};
use serde::Serialize;

use super::memory::Memory;
use features::Seen;
use questions::Questions;
use stage::Planner;

/// What a plan is made for, where the recipe does not say it.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// Samples of a stage whose data is not on this machine.
    pub samples: Option<usize>,
    /// Tokens of a row, visual tokens included, in place of the data's lengths; by default the
    /// longest that the recipe allows where there is no data.
    pub tokens: Option<usize>,
    /// Samples of a forward pass, in place of every stage's `micro_batch_size`.
    pub micro_batch_size: Option<usize>,
    /// Whether every stage runs its blocks again, in place of its `checkpoint_blocks`.
    pub checkpoint_blocks: Option<bool>,
    /// Whether every sample is tokenised, also of large data.
    pub every_sample: bool,
}

/// What a recipe will cost.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The recipe's name.
    pub recipe: String,
    /// Number type of weights and activations.
    pub dtype: Dtype,
    /// Encoder, projector and decoder.
    pub components: Vec<ComponentCost>,
    /// The stages, in order.
    pub stages: Vec<StageCost>,
    /// Answering the questions of the score, if the recipe asks some and they are on this machine.
    pub score: Option<ScoreCost>,
    /// The features of images, if the recipe keeps them. They lie beside the run, for others too, and
    /// are not part of [`disk_bytes`](Self::disk_bytes).
    pub features: Option<FeatureCost>,
    /// Memory of the process besides tensors: the program, the tokenizer, the texts of the data.
    /// It is this process's own, which holds the same. None where the system does not tell.
    pub process_bytes: Option<u64>,
    /// The most memory that a run holds at once, while no checkpoint is written.
    pub peak_bytes: u64,
    /// Memory of this machine, where the system tells it.
    pub machine_bytes: Option<u64>,
    /// Bytes on disk of all that the run leaves.
    pub disk_bytes: u64,
    /// Bytes on disk of it that are checkpoints.
    pub checkpoint_bytes: u64,
}

impl Plan {
    /// The most memory that a run holds at once, a checkpoint that is being written included.
    #[must_use]
    pub fn peak_saving_bytes(&self) -> u64 {
        let saving = |stage: &StageCost| stage.memory.peak_bytes() + stage.memory.snapshot;
        let tensors = self.stages.iter().map(saving).max().unwrap_or(0);
        let tensors = self.process_bytes.unwrap_or(0) + tensors;
        tensors.max(self.peak_bytes)
    }
}

/// A component of the model.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ComponentCost {
    /// Which.
    pub name: &'static str,
    /// Its plugin.
    pub plugin: &'static str,
    /// Numbers it holds.
    pub parameters: usize,
    /// Their bytes in memory.
    pub bytes: u64,
}

/// Plans `recipe`. Needs no weights; uses the data and the tokenizer where they are.
///
/// # Errors
/// A recipe that is wrong, data that is there and broken, or a plugin that reads values back while
/// it computes.
pub fn plan(recipe: &Recipe, options: &PlanOptions) -> Result<Plan, PlanError> {
    let recipe = &recipe.resolve()?;
    let configured = recipe.configure()?;
    let all = parameters(&recipe.network(&configured, &Device::flex())?);
    recipe.check_stages(&configured, &all)?;
    let tokenizer = tokenizer(recipe, &configured)?;

    let planner = Planner {
        recipe,
        configured: &configured,
        parameters: &all,
        tokenizer: tokenizer.as_ref(),
        options,
    };
    // All data is open at once, as in a run.
    let stages = planner.stages()?;
    let questions = Questions::open(recipe, &configured, tokenizer.as_ref())?;
    let process_bytes = Memory::now().resident;

    let mut seen = recipe.cache_features.then(Seen::default);
    let stages = stages
        .iter()
        .map(|(name, table, samples)| planner.stage(name, table, samples.as_ref(), seen.as_mut()))
        .collect::<Result<Vec<_>, _>>()?;
    if let (Some(seen), Some(questions)) = (&mut seen, &questions) {
        questions.show(seen);
    }
    let activation = Numbers::to_train(recipe.dtype).activations.size();
    let score = questions
        .map(|questions| questions.cost(recipe, &configured))
        .transpose()?;
    let tensors = stages.iter().map(|stage| stage.memory.peak_bytes());
    let tensors = tensors
        .chain(score.as_ref().map(|score| score.resident))
        .max();
    let disk = disk::of(recipe, &all, &stages);
    Ok(Plan {
        recipe: recipe.name.clone(),
        dtype: recipe.dtype,
        components: components(recipe, &configured, &all),
        peak_bytes: process_bytes.unwrap_or(0) + tensors.unwrap_or(0),
        stages,
        score,
        features: seen.map(|seen| seen.cost(&configured, activation)),
        process_bytes,
        machine_bytes: Memory::of_machine(),
        disk_bytes: disk.total,
        checkpoint_bytes: disk.checkpoints,
    })
}

/// The tokenizer, if it is on this machine.
fn tokenizer(recipe: &Recipe, configured: &Configured) -> Result<Option<Tokenizer>, PlanError> {
    let there = recipe.tokenizer_path().is_some_and(|path| path.exists());
    let loaded = there.then(|| recipe.load_tokenizer(configured.llm_spec.vocab_size));
    Ok(loaded.transpose()?)
}

fn components(
    recipe: &Recipe,
    configured: &Configured,
    all: &[ParameterInfo],
) -> Vec<ComponentCost> {
    let size = burn::tensor::DType::from(recipe.dtype).size();
    let cost = |component: Component| {
        let parameters = numbers_of(all, component);
        let info = match component {
            Component::Vision => configured.vision_info,
            Component::Projector => configured.projector_info,
            Component::Llm => configured.llm_info,
        };
        ComponentCost {
            name: component.name(),
            plugin: info.name,
            parameters,
            bytes: (parameters * size) as u64,
        }
    };
    Component::ALL.into_iter().map(cost).collect()
}

fn numbers_of(all: &[ParameterInfo], component: Component) -> usize {
    let prefix = format!("{component}.");
    let own = all.iter().filter(|info| info.path.starts_with(&prefix));
    own.map(ParameterInfo::len).sum()
}
