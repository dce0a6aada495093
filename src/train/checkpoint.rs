//! A moment of a run, whole: what is needed to go on exactly from there.
//!
//! ```text
//! RUN/checkpoints/STAGE-STEP/checkpoint.json        where the run stands
//! RUN/checkpoints/STAGE-STEP/recipe.toml            the recipe, resolved
//! RUN/checkpoints/STAGE-STEP/weights.safetensors    the parameters that learn in the stage, by path
//! RUN/checkpoints/STAGE-STEP/optimizer.safetensors  AdamW's state: first.PATH, second.PATH, master.PATH
//! RUN/checkpoints/STAGE-STEP/SHA256SUMS             of all of them, as `sha256sum -c` reads it
//! ```
//!
//! At the beginning of a stage nothing has learned yet, so that the files of tensors are absent. What
//! is frozen lies in the files that the stage began with: they are named with their hashes.
//!
//! There is no random state but the seed: whatever is drawn follows from the seed and the place in
//! the run.

mod folder;
mod logs;
mod model;
pub(super) mod optimizer;
mod saved;
mod snapshot;
mod standing;
#[cfg(test)]
mod tests;
mod writer;

pub(super) use folder::Checkpoints;
pub(super) use logs::Logs;
pub use model::CheckpointModel;
pub(super) use saved::{Refusal, Saved};
pub(super) use snapshot::{Snapshot, learning};
pub(super) use standing::{Best, FORMAT, Standing};
pub(super) use writer::Writer;

const STANDING: &str = "checkpoint.json";
const RECIPE: &str = "recipe.toml";
const WEIGHTS: &str = "weights.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const SUMS: &str = "SHA256SUMS";
