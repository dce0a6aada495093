//! What a run leaves on disk.

use burn::tensor::DType;
use menagerie_core::Recipe;
use menagerie_core::component::Component;
use menagerie_core::parameters::ParameterInfo;

use super::numbers_of;
use super::stage::StageCost;

/// Bytes.
pub(super) struct Disk {
    pub total: u64,
    pub checkpoints: u64,
}

/// All tensors that are written; what is beside them is small.
pub(super) fn of(recipe: &Recipe, all: &[ParameterInfo], stages: &[StageCost]) -> Disk {
    let size = DType::from(recipe.dtype).size() as u64;
    let table = recipe.checkpoint.clone().unwrap_or_default();
    // The one being written comes before the oldest goes.
    let kept = table.keep as u64 + 1;
    let largest = stages.iter().map(|stage| stage.checkpoint_bytes).max();
    let best: u64 = stages
        .iter()
        .filter(|_| {
            table.keep_best
                && recipe
                    .eval
                    .as_ref()
                    .is_some_and(|eval| eval.every_steps.is_some())
        })
        .map(|stage| stage.checkpoint_bytes)
        .sum();
    let checkpoints = largest.unwrap_or(0) * kept + best;
    // A component that a stage leaves as it was is the same file; one with an adapter has what learned
    // beside it.
    let weights = stages.iter().zip(recipe.stages()).enumerate();
    let weights = weights.map(|(number, (stage, (_, table)))| {
        let written = stage.trainable.iter().zip(Component::ALL);
        let written = written.map(|((_, learning), component)| {
            let is_first = number == 0;
            match (learning, &table.lora) {
                (0, _) if !is_first => 0,
                (0, _) | (_, None) => numbers_of(all, component),
                (learning, Some(_)) => *learning,
            }
        });
        written.sum::<usize>() as u64 * size
    });
    Disk {
        total: checkpoints + weights.sum::<u64>(),
        checkpoints,
    }
}
