//! LoRA as part of a stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::freeze::{FreezePattern, check_matched};
use super::{Configured, Recipe, RecipeError, Stage};
use crate::lora::{Target, targets};
use crate::parameters::ParameterInfo;

/// A low-rank adapter (LoRA, arXiv 2106.09685) that learns in place of the weights under it:
/// `lora = { … }` of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LoraTable {
    /// Columns of A and rows of B.
    #[schemars(range(min = 1))]
    pub rank: usize,
    /// The low-rank part counts `alpha / rank` times.
    #[schemars(range(min = 0.0))]
    pub alpha: f64,
    /// Share of the features before A that are dropped in a training pass.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub dropout: f64,
    /// Where it lies: components or dotted prefixes of parameter paths, as in `freeze`. A component
    /// stands for the linear layers of its blocks, a finer target for all linear layers in it. All
    /// parameters that a target matches stay as they are.
    #[serde(default = "default_on")]
    pub on: Vec<FreezePattern>,
    /// How the weights under the adapter are kept in memory during the stage (QLoRA, arXiv
    /// 2305.14314). Default: as the model has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantize: Option<Quantize>,
}

fn default_on() -> Vec<FreezePattern> {
    vec![FreezePattern::parse("llm").expect("a component's name is a pattern")]
}

/// How frozen weights are kept: in blocks of 64 numbers with one f32 scale each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Quantize {
    /// 8 bits, 255 even levels: 8.5 bits a weight.
    Q8,
    /// 4 bits, QLoRA's levels for normally distributed weights: 4.5 bits a weight.
    Nf4,
}

impl LoraTable {
    /// How strongly the low-rank part counts.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// Whether the parameter at `path` is matched by `on`, so that it does not learn itself.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        self.on.iter().any(|pattern| pattern.matches(path))
    }

    /// The weights that carry an adapter, of the model's `parameters`.
    #[must_use]
    pub fn targets(&self, configured: &Configured, parameters: &[ParameterInfo]) -> Vec<Target> {
        targets(self, configured, parameters)
    }

    /// The adapters' own parameters.
    #[must_use]
    pub fn factors(
        &self,
        configured: &Configured,
        parameters: &[ParameterInfo],
    ) -> Vec<ParameterInfo> {
        let targets = self.targets(configured, parameters).into_iter();
        targets
            .flat_map(|target| target.factors(self.rank))
            .collect()
    }

    /// Whether it can go on with the factors of `other`.
    #[must_use]
    pub fn continues(&self, other: &Self) -> bool {
        (self.rank, self.alpha, &self.on) == (other.rank, other.alpha, &other.on)
    }
}

impl Recipe {
    /// Checks every stage's `freeze` and `lora` against all parameters of the model, how adapters go
    /// from stage to stage, and that the benchmark of the scores is there.
    ///
    /// # Errors
    /// As [`Recipe::check_freeze`] and [`Recipe::check_benchmark`]; a target that matches no
    /// parameter or no linear layer, or a stage whose adapter is not the one that the stage before
    /// it left.
    pub fn check_stages(
        &self,
        configured: &Configured,
        parameters: &[ParameterInfo],
    ) -> Result<(), RecipeError> {
        let paths: Vec<String> = parameters.iter().map(|info| info.path.clone()).collect();
        self.check_freeze(&paths)?;
        self.check_optimizer_groups(&paths)?;
        self.check_benchmark()?;
        let mut before: Option<(&str, &LoraTable)> = None;
        for (name, stage) in self.stages() {
            before = before.filter(|(_, table)| !stage.merges(table, parameters));
            let Some(table) = &stage.lora else { continue };
            self.check_targets(name, table, configured, parameters)?;
            if let Some((other, _)) = before.filter(|(_, other)| !table.continues(other)) {
                let message = format!(
                    "it goes on with the adapter of stage `{other}`, so `rank`, `alpha` and `on` must be the same there and here"
                );
                return Err(self.invalid(&format!("stage.{name}.lora"), message));
            }
            before = Some((name, table));
        }
        Ok(())
    }

    /// The factors of all adapters of all stages, which [`Configured`]'s network does not have yet.
    #[must_use]
    pub fn factors(
        &self,
        configured: &Configured,
        parameters: &[ParameterInfo],
    ) -> Vec<ParameterInfo> {
        let mut factors: Vec<ParameterInfo> = Vec::new();
        for table in self.stages().filter_map(|(_, stage)| stage.lora.as_ref()) {
            for factor in table.factors(configured, parameters) {
                let same = |other: &ParameterInfo| {
                    (&other.path, &other.shape) == (&factor.path, &factor.shape)
                };
                if !factors.iter().any(same) {
                    factors.push(factor);
                }
            }
        }
        factors
    }

    fn check_targets(
        &self,
        stage: &str,
        table: &LoraTable,
        configured: &Configured,
        parameters: &[ParameterInfo],
    ) -> Result<(), RecipeError> {
        let paths: Vec<&str> = parameters.iter().map(|info| info.path.as_str()).collect();
        for (index, pattern) in table.on.iter().enumerate() {
            let key = format!("stage.{stage}.lora.on.{index}");
            let on = vec![pattern.clone()];
            check_matched(&on, &paths).map_err(|error| self.invalid(&key, error.to_string()))?;
            let alone = LoraTable {
                on,
                ..table.clone()
            };
            if targets(&alone, configured, parameters).is_empty() {
                let message = format!(
                    "`{pattern}` holds no linear layer, and an adapter lies on nothing else; name a component or a part with linear layers"
                );
                return Err(self.invalid(&key, message));
            }
        }
        Ok(())
    }

    pub(super) fn invalid(&self, key: &str, message: String) -> RecipeError {
        RecipeError::Invalid {
            origin: self.origin(key),
            key: key.to_owned(),
            message,
        }
    }
}

impl Stage {
    /// Whether the adapter that stands before this stage becomes part of its weights: it goes on
    /// with no adapter, and trains what lies under that one.
    #[must_use]
    pub fn merges(&self, adapter: &LoraTable, parameters: &[ParameterInfo]) -> bool {
        let mut under = parameters.iter().filter(|info| adapter.covers(&info.path));
        self.lora.is_none() && under.any(|info| self.learns(&info.path))
    }
}
