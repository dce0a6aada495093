//! When a run is saved while it goes, and what of it is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a run can be gone on with: `[checkpoint]`. One is always written at the end of a stage and
/// when a run is asked to stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CheckpointTable {
    /// Optimizer steps of a stage between two checkpoints. Absent: none for their sake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub every_steps: Option<usize>,
    /// Minutes between two checkpoints; 0: none for time's sake.
    #[serde(default = "default_every_minutes")]
    #[schemars(range(min = 0.0))]
    pub every_minutes: f64,
    /// The newest checkpoints kept. One without weights, at the beginning of a stage, does not count
    /// and is always kept.
    #[serde(default = "default_keep")]
    #[schemars(range(min = 1))]
    pub keep: usize,
    /// Whether the checkpoint of each stage's best score is kept too, where `eval.every_steps` takes
    /// scores within a stage.
    #[serde(default = "default_keep_best")]
    pub keep_best: bool,
}

fn default_every_minutes() -> f64 {
    30.0
}

fn default_keep() -> usize {
    2
}

fn default_keep_best() -> bool {
    true
}

impl Default for CheckpointTable {
    fn default() -> Self {
        Self {
            every_steps: None,
            every_minutes: default_every_minutes(),
            keep: default_keep(),
            keep_best: default_keep_best(),
        }
    }
}
