//! Losses without their noise.

use super::summary::Run;
use crate::train::Smooth;

/// The loss of a stage.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StageLosses {
    /// The stage.
    pub stage: String,
    /// The smoothed loss after each step.
    pub smooth: Vec<f64>,
}

impl StageLosses {
    /// Of each stage of `run`, smoothed as in a stage of `window(stage)` steps.
    pub(super) fn of(run: &Run, window: impl Fn(&str) -> usize) -> Vec<Self> {
        let stages = run.timeline.stages();
        stages
            .map(|(stage, ..)| {
                let mut smooth = Smooth::over(window(stage));
                let lines = run.history.metrics.iter();
                let lines = lines.filter(|line| line.stage == stage);
                Self {
                    stage: stage.to_owned(),
                    smooth: lines.map(|line| smooth.push(line.loss)).collect(),
                }
            })
            .collect()
    }
}
