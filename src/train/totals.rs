//! What a stage has done, in sum.

use serde::Serialize;

use super::history::History;
use super::smooth::Smooth;
use super::timeline::Timeline;

/// A stage in sum.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StageTotals {
    /// Its name.
    pub stage: String,
    /// Optimizer steps that are done.
    pub steps: usize,
    /// Optimizer steps that it has.
    pub planned_steps: usize,
    /// Samples that it has seen.
    pub samples: usize,
    /// Tokens that it has seen, visual ones too.
    pub tokens: usize,
    /// Tokens that it has learned from.
    pub supervised_tokens: usize,
    /// Wall-clock time of its steps.
    pub seconds: f64,
    /// The part of it in which a step waited for its batch.
    pub wait_seconds: f64,
    /// The most memory that the process held; absent where the system does not say.
    pub peak_bytes: Option<u64>,
    /// Images whose features were there; absent where none are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features_found: Option<usize>,
    /// Images that the encoder saw; absent where no features are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features_computed: Option<usize>,
    /// The smoothed loss of the last step.
    pub loss: Option<f64>,
}

impl StageTotals {
    /// Of every stage.
    pub(crate) fn of(timeline: &Timeline, history: &History) -> Vec<Self> {
        let stages = timeline.stages();
        stages
            .map(|(stage, _, planned)| Self::of_stage(stage, planned, history))
            .collect()
    }

    fn of_stage(stage: &str, planned_steps: usize, history: &History) -> Self {
        let mut totals = Self {
            stage: stage.to_owned(),
            steps: 0,
            planned_steps,
            samples: 0,
            tokens: 0,
            supervised_tokens: 0,
            seconds: 0.0,
            wait_seconds: 0.0,
            peak_bytes: None,
            features_found: None,
            features_computed: None,
            loss: None,
        };
        let mut smooth = Smooth::over(planned_steps);
        for line in history.metrics.iter().filter(|line| line.stage == stage) {
            totals.steps += 1;
            totals.samples += line.samples;
            totals.tokens += line.tokens;
            totals.supervised_tokens += line.supervised_tokens;
            totals.loss = Some(smooth.push(line.loss));
        }
        for timing in history.timings.iter().filter(|line| line.stage == stage) {
            totals.seconds += timing.seconds;
            totals.wait_seconds += timing.wait_seconds;
            totals.peak_bytes = totals.peak_bytes.max(timing.peak_bytes);
            add(&mut totals.features_found, timing.features_found);
            add(&mut totals.features_computed, timing.features_computed);
        }
        totals
    }

    /// Tokens a second; 0 before the first step.
    pub fn tokens_per_second(&self) -> f64 {
        share(self.tokens as f64, self.seconds)
    }

    /// The share of its time in which a step waited for its batch.
    pub fn wait_share(&self) -> f64 {
        share(self.wait_seconds, self.seconds)
    }
}

fn add(sum: &mut Option<usize>, more: Option<usize>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0) + more);
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
