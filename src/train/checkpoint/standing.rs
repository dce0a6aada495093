//! Where a run stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{RECIPE, STANDING};
use crate::code::Code;
use crate::train::files::FileHash;

/// The layout of a checkpoint; one of another number is not read.
pub(in crate::train) const FORMAT: u32 = 1;

/// `checkpoint.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::train) struct Standing {
    pub format: u32,
    pub stage: String,
    /// Optimizer steps of the stage that are done, and of how many. The next batch is the one of
    /// that number: the order of the samples follows from the seed, the stage and the epoch.
    pub step: usize,
    pub steps: usize,
    pub seed: u64,
    /// The loss, smoothed over the steps of the stage.
    pub smoothed_loss: Option<f64>,
    /// Whether a score that was due after this step is taken.
    pub scored: bool,
    /// The best score within each stage so far.
    pub best: BTreeMap<String, Best>,
    /// Time spent in the stage's steps.
    pub seconds: f64,
    /// Bytes of each log when this was taken; what was written later is of steps to be repeated.
    pub logs: BTreeMap<String, u64>,
    /// Updates of each parameter that the optimizer knows.
    pub optimizer_steps: BTreeMap<String, i32>,
    /// The files that the stage began with, and that hold what is frozen in it.
    pub base: Vec<FileHash>,
    /// Hashes of the data files of `stage.NAME` and of `eval`, in their order.
    pub data: BTreeMap<String, Vec<String>>,
    /// The names of the files of tensors beside this one.
    pub tensors: Vec<String>,
    pub code: Code,
}

impl Standing {
    /// The names of all files of the checkpoint but the sums, sorted.
    pub(super) fn files(&self) -> Vec<&str> {
        let tensors = self.tensors.iter().map(String::as_str);
        let mut names: Vec<&str> = tensors.chain([STANDING, RECIPE]).collect();
        names.sort_unstable();
        names
    }
}

/// The best score within a stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(in crate::train) struct Best {
    pub step: usize,
    pub score: f64,
}

/// The name of a checkpoint's folder, and its stage and step.
pub(in crate::train) fn folder_name(stage: &str, step: usize) -> String {
    format!("{stage}-{step:08}")
}

/// The inverse of [`folder_name`].
pub(in crate::train) fn parse_folder_name(name: &str) -> Option<(&str, usize)> {
    let (stage, step) = name.rsplit_once('-')?;
    let step = step.parse().ok()?;
    (folder_name(stage, step) == name).then_some((stage, step))
}
