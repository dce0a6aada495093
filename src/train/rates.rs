//! Learning rate and weight decay of every parameter, step by step.

use std::collections::HashMap;

use menagerie_core::Stage;
use menagerie_core::parameters::ParameterInfo;
use menagerie_core::recipe::{AdamW, Optimizer, ParameterOptions, Schedule as ScheduleTable};

use super::adamw::Rates;
use super::schedule::{Decay, Schedule};

/// The rates of a stage. The schedule scales every group's own peak.
#[derive(Debug)]
pub(super) struct StageRates<'s> {
    table: &'s AdamW,
    schedule: Schedule,
    by_path: HashMap<String, ParameterOptions>,
}

impl<'s> StageRates<'s> {
    /// Of the parameters of a model over a stage of `steps` optimizer steps.
    pub(super) fn new(stage: &'s Stage, parameters: &[ParameterInfo], steps: usize) -> Self {
        let Optimizer::AdamW(table) = &stage.optimizer;
        let (decay, warmup_ratio) = match &stage.schedule {
            ScheduleTable::Cosine(cosine) => (Decay::Cosine, cosine.warmup_ratio),
            ScheduleTable::Constant(constant) => (Decay::Constant, constant.warmup_ratio),
        };
        let options = |info: &ParameterInfo| (info.path.clone(), table.options_of(info));
        Self {
            table,
            schedule: Schedule::new(decay, warmup_ratio, steps),
            by_path: parameters.iter().map(options).collect(),
        }
    }

    /// The learning rate of what belongs to no group.
    pub(super) fn own(&self, step: usize) -> f64 {
        self.table.learning_rate * self.schedule.factor(step)
    }

    /// The learning rate of each group, in the recipe's order.
    pub(super) fn groups(&self, step: usize) -> Vec<f64> {
        let factor = self.schedule.factor(step);
        let groups = self.table.groups.iter();
        let peak = |rate: Option<f64>| rate.unwrap_or(self.table.learning_rate);
        groups
            .map(|group| peak(group.learning_rate) * factor)
            .collect()
    }

    /// What applies to the parameter at `path`.
    pub(super) fn of(&self, step: usize, path: &str) -> Rates {
        let options = &self.by_path[path];
        Rates {
            learning_rate: options.learning_rate * self.schedule.factor(step),
            weight_decay: options.weight_decay,
        }
    }
}
