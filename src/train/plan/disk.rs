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
    // A component that a stage leaves as it was is the same file.
    let weights = stages.iter().enumerate().map(|(number, stage)| {
        let written = Component::ALL.into_iter().filter(|component| {
            number == 0
                || stage
                    .trainable
                    .iter()
                    .any(|(name, n)| *name == component.name() && *n > 0)
        });
        written
            .map(|component| numbers_of(all, component) as u64 * size)
            .sum::<u64>()
    });
    Disk {
        total: checkpoints + weights.sum::<u64>(),
        checkpoints,
    }
}
