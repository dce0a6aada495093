//! The curves of a run, over the steps of all its stages.

use std::collections::HashMap;

use super::history::History;
use super::metrics::{StepMetrics, StepTiming};
use super::smooth::Smooth;
use super::timeline::Timeline;

/// What is drawn over the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    Loss,
    LearningRate,
    GradientNorm,
    /// Tokens a second.
    Throughput,
    /// GiB that the process holds.
    Memory,
}

impl Quantity {
    pub(crate) const ALL: [Self; 5] = [
        Self::Loss,
        Self::LearningRate,
        Self::GradientNorm,
        Self::Throughput,
        Self::Memory,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Loss => "Loss",
            Self::LearningRate => "Learning rate",
            Self::GradientNorm => "Gradient norm",
            Self::Throughput => "Tokens a second",
            Self::Memory => "Memory, GiB",
        }
    }

    /// Whether it jumps from step to step, so that its mean says more.
    pub(crate) const fn is_noisy(self) -> bool {
        matches!(self, Self::Loss | Self::GradientNorm | Self::Throughput)
    }

    fn of(self, metrics: &StepMetrics, timing: Option<&StepTiming>) -> Option<f64> {
        match self {
            Self::Loss => Some(metrics.loss),
            Self::LearningRate => Some(metrics.lr),
            Self::GradientNorm => Some(metrics.grad_norm),
            Self::Throughput => timing.map(|timing| metrics.tokens as f64 / timing.seconds),
            Self::Memory => {
                let bytes = timing?.resident_bytes?;
                Some(bytes as f64 / f64::from(1 << 30))
            }
        }
    }
}

/// A stage's part of a curve.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Part {
    /// `(step over all stages, value)`.
    pub points: Vec<(f64, f64)>,
    /// The same, smoothed.
    pub smooth: Vec<(f64, f64)>,
}

/// A curve, a part for each stage that has any of it.
pub(crate) fn curve(timeline: &Timeline, history: &History, quantity: Quantity) -> Vec<Part> {
    let timings: HashMap<(&str, usize), &StepTiming> = history
        .timings
        .iter()
        .map(|timing| ((timing.stage.as_str(), timing.step), timing))
        .collect();
    let parts = timeline.stages().map(|(stage, begin, steps)| {
        let lines = history.metrics.iter().filter(|line| line.stage == stage);
        let points: Vec<(f64, f64)> = lines
            .filter_map(|line| {
                let timing = timings.get(&(stage, line.step)).copied();
                let value = quantity.of(line, timing)?;
                Some(((begin + line.step) as f64, value))
            })
            .collect();
        Part {
            smooth: Smooth::over(steps).curve(&points),
            points,
        }
    });
    parts.filter(|part| !part.points.is_empty()).collect()
}
