//! Who watches a run.

use std::path::Path;

use super::metrics::{Score, StepMetrics, StepTiming};
use crate::data::Skipped;

/// What a stage is about to do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StagePlan {
    /// Its name.
    pub name: String,
    /// Its number, from 1, and how many there are.
    pub number: (usize, usize),
    /// Optimizer steps.
    pub steps: usize,
    /// Samples of the data.
    pub samples: usize,
    /// Numbers that learn, and all numbers.
    pub trainable: (usize, usize),
    /// The parts that learn, as components or parts of them.
    pub learns: Vec<String>,
}

/// Hears of a run as it goes.
pub trait Observer {
    /// A stage begins.
    fn stage(&mut self, plan: &StagePlan);
    /// An optimizer step is done, at that cost.
    fn step(&mut self, metrics: &StepMetrics, timing: &StepTiming);
    /// A sample cannot be learned from and is left out; heard once a stage for each.
    fn skipped(&mut self, _skipped: &Skipped) {}
    /// So many of the questions are answered.
    fn scoring(&mut self, stage: &str, done: usize, total: usize);
    /// A score is known.
    fn scored(&mut self, score: &Score);
    /// Something that is no error and yet worth knowing.
    fn note(&mut self, _text: &str) {}
    /// All stages are done.
    fn done(&mut self, run: &Path);
}

/// Hears nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn stage(&mut self, _plan: &StagePlan) {}
    fn step(&mut self, _metrics: &StepMetrics, _timing: &StepTiming) {}
    fn scoring(&mut self, _stage: &str, _done: usize, _total: usize) {}
    fn scored(&mut self, _score: &Score) {}
    fn done(&mut self, _run: &Path) {}
}
