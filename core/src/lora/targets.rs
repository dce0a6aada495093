//! Which weights an adapter lies on.

use crate::component::Component;
use crate::parameters::ParameterInfo;
use crate::recipe::{Configured, FreezePattern, LoraTable};

/// A weight that carries an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The component.
    pub component: Component,
    /// The weight's path, `llm.layers.0.attention.query.weight`.
    pub path: String,
    /// The layer's name in the original LLaVA's checkpoints, `model.layers.0.self_attn.q_proj`.
    pub module: String,
    /// Features in.
    pub input: usize,
    /// Features out.
    pub output: usize,
}

impl Target {
    /// The parameters of its factors, A `[in, rank]` and B `[rank, out]`.
    #[must_use]
    pub fn factors(&self, rank: usize) -> [ParameterInfo; 2] {
        let factor = |name: &str, shape: [usize; 2]| {
            ParameterInfo::planned(format!("{}.lora.{name}", self.path), shape.to_vec())
        };
        [
            factor("a", [self.input, rank]),
            factor("b", [rank, self.output]),
        ]
    }
}

/// The weight that a factor's path belongs to; nothing if the path is none of a factor.
#[must_use]
pub fn weight_of(path: &str) -> Option<&str> {
    path.strip_suffix(".lora.a")
        .or_else(|| path.strip_suffix(".lora.b"))
}

/// Whether a parameter's path is that of an adapter's factor.
#[must_use]
pub fn is_factor(path: &str) -> bool {
    weight_of(path).is_some()
}

/// The weights that `table` puts adapters on, in the order of `parameters`, the model's own.
///
/// Only linear layers carry one: matrices that the plugin's table of checkpoint names states as
/// stored transposed. A component that is named whole stands for those of its numbered blocks, as in
/// the original LLaVA (`find_all_linear_names` in `llava/train/train.py`), or for all where it has
/// no blocks; a finer pattern stands for all that it matches.
#[must_use]
pub(crate) fn targets(
    table: &LoraTable,
    configured: &Configured,
    parameters: &[ParameterInfo],
) -> Vec<Target> {
    let linear: Vec<Target> = Component::ALL
        .into_iter()
        .flat_map(|component| linear_layers(component, configured, parameters))
        .collect();
    let is_on = |target: &&Target| {
        let mut patterns = table.on.iter();
        patterns.any(|pattern| covers(pattern, target, &linear))
    };
    linear.iter().filter(is_on).cloned().collect()
}

/// Whether `pattern` of a table puts an adapter on `target`, one of the model's `linear` layers.
fn covers(pattern: &FreezePattern, target: &Target, linear: &[Target]) -> bool {
    if !pattern.matches(&target.path) {
        return false;
    }
    let mut own = linear
        .iter()
        .filter(|other| other.component == target.component);
    !pattern.is_component()
        || is_in_block(&target.path)
        || !own.any(|other| is_in_block(&other.path))
}

fn is_in_block(path: &str) -> bool {
    path.split('.')
        .any(|segment| segment.parse::<usize>().is_ok())
}

fn linear_layers(
    component: Component,
    configured: &Configured,
    parameters: &[ParameterInfo],
) -> Vec<Target> {
    let prefix = format!("{component}.");
    let checkpoint = configured.checkpoint(component);
    let target = |info: &ParameterInfo| {
        let own = info.path.strip_prefix(&prefix)?;
        let &[input, output] = info.shape.as_slice() else {
            return None;
        };
        let module = checkpoint.linear_module(component, own)?;
        Some(Target {
            component,
            path: info.path.clone(),
            module,
            input,
            output,
        })
    };
    parameters.iter().filter_map(target).collect()
}
