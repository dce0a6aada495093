//! The optimizer of a stage, and which parameters it treats how.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::freeze::{FreezeError, FreezePattern};
use crate::parameters::{ParameterInfo, ParameterKind};

/// The optimizer, by its `type`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Optimizer {
    /// Adam with decoupled weight decay (arXiv 1711.05101).
    #[serde(rename = "adamw")]
    AdamW(AdamW),
}

/// The options of `type = "adamw"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AdamW {
    /// The learning rate at its peak.
    #[schemars(range(min = 0.0))]
    pub learning_rate: f64,
    /// Decoupled weight decay, a fraction of the weight times the learning rate.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// What is never decayed. Default: norms and biases, as the original's trainer has it.
    #[serde(default = "default_no_decay")]
    pub no_decay: Vec<NoDecay>,
    /// Decay of the mean of the gradient.
    #[serde(default = "default_beta1")]
    pub beta1: f64,
    /// Decay of the mean of its square.
    #[serde(default = "default_beta2")]
    pub beta2: f64,
    /// Added to the root in the denominator.
    #[serde(default = "default_epsilon")]
    pub epsilon: f64,
    /// Parts of the model with a learning rate or a weight decay of their own. No parameter may
    /// belong to two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<OptimizerGroup>,
}

/// A part of the model with options of its own: an entry of `optimizer.groups`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OptimizerGroup {
    /// What belongs to it, as `freeze` names it: `["projector"]`, `["vision.layers.20..24"]`.
    #[schemars(length(min = 1))]
    pub on: Vec<FreezePattern>,
    /// The learning rate at its peak. Default: the optimizer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub learning_rate: Option<f64>,
    /// Decoupled weight decay. Default: the optimizer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub weight_decay: Option<f64>,
}

/// A kind of parameter that weight decay leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoDecay {
    /// All parameters of norms.
    Norms,
    /// Biases of all other layers.
    Biases,
}

fn default_no_decay() -> Vec<NoDecay> {
    vec![NoDecay::Norms, NoDecay::Biases]
}

// PyTorch's defaults, which LLaVA trains with.
fn default_beta1() -> f64 {
    0.9
}

fn default_beta2() -> f64 {
    0.999
}

fn default_epsilon() -> f64 {
    1e-8
}

/// What the optimizer does with one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ParameterOptions {
    /// The entry of `groups` that it belongs to, if one does.
    pub group: Option<usize>,
    /// The learning rate at its peak.
    pub learning_rate: f64,
    /// Decoupled weight decay; 0 where it is left out.
    pub weight_decay: f64,
}

impl AdamW {
    /// What it does with a parameter that learns.
    #[must_use]
    pub fn options_of(&self, parameter: &ParameterInfo) -> ParameterOptions {
        let belongs = |group: &OptimizerGroup| {
            let mut targets = group.on.iter();
            targets.any(|target| target.matches(&parameter.path))
        };
        let index = self.groups.iter().position(belongs);
        let group = index.map(|index| &self.groups[index]);
        let decay = group.and_then(|group| group.weight_decay);
        let rate = group.and_then(|group| group.learning_rate);
        ParameterOptions {
            group: index,
            learning_rate: rate.unwrap_or(self.learning_rate),
            weight_decay: if self.decays(parameter.kind) {
                decay.unwrap_or(self.weight_decay)
            } else {
                0.0
            },
        }
    }

    /// Whether weight decay is for parameters of this kind.
    #[must_use]
    pub fn decays(&self, kind: ParameterKind) -> bool {
        match kind {
            ParameterKind::Norm => !self.no_decay.contains(&NoDecay::Norms),
            ParameterKind::Bias => !self.no_decay.contains(&NoDecay::Biases),
            ParameterKind::Weight => true,
        }
    }
}

/// A group of the optimizer that does not fit the model or the stage.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GroupError {
    /// A target that is no part of the model.
    #[error(transparent)]
    Target(#[from] FreezeError),
    /// A target of which nothing learns.
    #[error(
        "`{target}` names only parameters that the stage freezes; leave it out, or take it out of `freeze`"
    )]
    Frozen {
        /// The target.
        target: String,
    },
    /// A parameter of two groups.
    #[error(
        "`{parameter}` belongs to two groups, by `{first}` and by `{second}`; a parameter belongs to one at most"
    )]
    Twice {
        /// The parameter.
        parameter: String,
        /// The target in the earlier group.
        first: String,
        /// The target in the later one.
        second: String,
    },
}

impl AdamW {
    /// Checks the groups against the paths of all parameters, those of adapters apart. `learns` says
    /// of a path whether it, or an adapter over it, learns.
    ///
    /// # Errors
    /// The group and the target in it that are at fault, and why.
    pub(super) fn check_groups(
        &self,
        learns: impl Fn(&str) -> bool,
        paths: &[&str],
    ) -> Result<(), (usize, usize, GroupError)> {
        let learning = paths.iter().copied().filter(|path| learns(path));
        let learning: Vec<&str> = learning.collect();
        for (index, group) in self.groups.iter().enumerate() {
            for (place, target) in group.on.iter().enumerate() {
                let at = |error| (index, place, error);
                target
                    .check_matches(paths)
                    .map_err(|error| at(error.into()))?;
                if !learning.iter().any(|path| target.matches(path)) {
                    let target = target.to_string();
                    return Err(at(GroupError::Frozen { target }));
                }
                let mut earlier = self.groups[..index].iter().flat_map(|group| &group.on);
                let shared = earlier.find_map(|first| {
                    let mut both = learning.iter();
                    let path = both.find(|path| first.matches(path) && target.matches(path))?;
                    Some((first, path))
                });
                if let Some((first, path)) = shared {
                    return Err(at(GroupError::Twice {
                        parameter: (*path).to_owned(),
                        first: first.to_string(),
                        second: target.to_string(),
                    }));
                }
            }
        }
        Ok(())
    }
}

/// [`Optimizer`] as the recipe's deserializer reads a tagged table: as a plain enum.
#[derive(Deserialize)]
#[serde(remote = "Optimizer", rename_all = "kebab-case")]
enum OptimizerByType {
    #[serde(rename = "adamw")]
    AdamW(AdamW),
}

impl<'de> Deserialize<'de> for Optimizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OptimizerByType::deserialize(deserializer)
    }
}
