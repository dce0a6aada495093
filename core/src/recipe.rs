//! Recipes: a TOML file says which encoder, projector and decoder make the model, and what learns
//! when.
//!
//! `extends` takes another recipe and states the difference; `--set key=value` comes last. Tables
//! merge key by key, everything else is replaced, and a table whose `type` changes is replaced
//! whole. Paths are relative to the file that states them. Whatever is wrong comes back as a
//! [`RecipeError`] that begins with file, line and column.

mod check;
mod checkpoint;
mod component;
mod configure;
mod data;
mod de;
mod embedded;
mod error;
mod freeze;
mod generation;
mod groups;
mod images;
mod load;
mod lora;
mod model;
mod node;
mod optimizer;
mod origin;
mod parts;
mod paths;
mod resolve;
mod schema;
mod stage;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::component::Component;
use crate::folder::ModelPath;
use crate::plugin;
use node::Node;
use origin::Origins;

pub use checkpoint::CheckpointTable;
pub use component::{LlmTable, ProjectorTable, VisionTable};
pub use configure::Configured;
pub use data::{
    DataSource, DataTable, DataText, EvalData, EvalTable, ImagePosition, MixedSet, OnBadSample,
    OneOrMany, Resize, Turns,
};
pub use embedded::EmbeddedRecipe;
pub use error::RecipeError;
pub use freeze::{FreezeError, FreezePattern, check_freeze};
pub use generation::GenerationConfig;
pub use groups::{ParameterGroup, UpdateGroup};
pub use images::ImagesTable;
pub use load::{LoadOptions, RecipeSource};
pub use lora::{LoraTable, Quantize};
pub use model::Resolve;
pub use optimizer::{AdamW, GroupError, NoDecay, Optimizer, OptimizerGroup, ParameterOptions};
pub use origin::{Origin, Source};
pub(crate) use parts::ConfiguredPart;
pub use stage::{Constant, Cosine, Length, Sampler, Schedule, Stage};
pub use sweep::{Axis, Budget, Sweep, SweepPoint};

/// A model and its training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The name of the model, and of its run folders.
    pub name: String,
    /// One line for `menagerie recipe list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Seed of the initial weights, the sampler and everything else that is drawn.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Number type of weights and activations. On a CPU `bf16`, `q8` and `q4` are those of the weights of linear
    /// layers and embedding tables, and all else is f32; `q8` and `q4` are for models that are used on a CPU.
    /// Where it is not stated, a model with weights in a quantised GGUF file is used as `q8` on a CPU: their
    /// blocks as they lie, other weights in 8 bits.
    #[serde(default)]
    pub dtype: Dtype,
    /// Longest sequence in training, visual tokens included; what is over is cut off.
    #[serde(default = "default_max_tokens")]
    #[schemars(range(min = 1))]
    pub max_tokens: usize,
    /// The stages, in their order. Without one the recipe describes a model that is only used. A
    /// stage that has a table and is not listed does not run.
    #[serde(default)]
    pub stages: Vec<String>,
    /// Whether the features of every image are kept on disk, for all runs beside this one: the encoder
    /// then sees an image once. Every stage must freeze `vision` whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cache_features: bool,
    /// The encoder.
    pub vision: VisionTable,
    /// The projector.
    pub projector: ProjectorTable,
    /// The decoder.
    pub llm: LlmTable,
    /// The stages by name: `[stage.NAME]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stage: BTreeMap<String, Stage>,
    /// The score taken after each stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval: Option<EvalTable>,
    /// When a run is saved while it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointTable>,
    #[serde(skip)]
    origins: Origins,
}

fn default_seed() -> u64 {
    42
}

// LLaVA's `model_max_length`.
fn default_max_tokens() -> usize {
    2048
}

/// A type of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Dtype {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, IEEE 754.
    F16,
    /// 16 bits with the exponent of `f32`.
    Bf16,
    /// 8 bits, 32 neighbours with a scale in f16: ggml's `q8_0`.
    Q8,
    /// 4 bits, 32 neighbours with a scale in f16: ggml's `q4_0`.
    Q4,
}

impl Dtype {
    /// As recipes and the command line spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8 => "q8",
            Self::Q4 => "q4",
        }
    }

    /// Whether weights are quantised: such a model is used and never trained.
    #[must_use]
    pub const fn is_quantised(self) -> bool {
        matches!(self, Self::Q8 | Self::Q4)
    }
}

impl Recipe {
    /// Reads a recipe file and those it extends.
    ///
    /// # Errors
    /// A file that cannot be read, or what is wrong in it, with its place.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, RecipeError> {
        Self::load_with(&RecipeSource::File(path.as_ref().to_owned()), &[])
    }

    /// Reads a recipe, then applies `sets`, each `key.path = value`, in their order.
    ///
    /// # Errors
    /// As [`Recipe::load`], and a `--set` that is not `key = value`.
    pub fn load_with(source: &RecipeSource, sets: &[String]) -> Result<Self, RecipeError> {
        let options = LoadOptions {
            sets,
            ..LoadOptions::default()
        };
        Self::load_as(source, &options)
    }

    /// As [`Recipe::load_with`], with all that may be said about it.
    ///
    /// # Errors
    /// As [`Recipe::load_with`], and a model that is not found or that is none.
    pub fn load_as(source: &RecipeSource, options: &LoadOptions<'_>) -> Result<Self, RecipeError> {
        Self::from_node(load::load(source, options)?)
    }

    /// The recipe that a whole model's folder states, and `sets` over it: a model to use.
    ///
    /// # Errors
    /// A folder that is no model's, or what is wrong in `sets`.
    pub fn of_folder(model: &ModelPath, sets: &[String]) -> Result<Self, RecipeError> {
        let resolve = LoadOptions::default().resolve;
        Self::from_node(load::set(model::under(model)?, sets, resolve)?)
    }

    /// Reads a recipe from a text. Its paths are relative to the working directory.
    ///
    /// # Errors
    /// As [`Recipe::load`].
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        Self::load_with(&RecipeSource::Text(text.to_owned()), &[])
    }

    /// The stages in their order, with their names.
    pub fn stages(&self) -> impl Iterator<Item = (&str, &Stage)> {
        let stages = self.stages.iter();
        stages.map(|name| (name.as_str(), &self.stage[name]))
    }

    /// Leaves out the stages before `name`, and says which was the last of them.
    ///
    /// # Errors
    /// The recipe lists no such stage.
    pub fn begin_with(&mut self, name: &str) -> Result<Option<String>, RecipeError> {
        let place = self.stages.iter().position(|stage| stage == name);
        let place = place.ok_or_else(|| RecipeError::NoSuchStage {
            name: name.to_owned(),
            allowed: self.stages.clone(),
        })?;
        Ok(self.stages.drain(..place).next_back())
    }

    /// States another adapter over a component's weights, or that there is none.
    pub fn set_adapter(&mut self, component: Component, adapter: Option<String>) {
        let place = match component {
            Component::Vision => &mut self.vision.adapter,
            Component::Projector => &mut self.projector.adapter,
            Component::Llm => &mut self.llm.adapter,
        };
        *place = adapter;
    }

    /// States what a component's weights are differences to, or that they are none.
    pub fn set_base(&mut self, component: Component, base: Option<String>) {
        let place = match component {
            Component::Vision => &mut self.vision.base,
            Component::Projector => &mut self.projector.base,
            Component::Llm => &mut self.llm.base,
        };
        *place = base;
    }

    /// States other weights of a component, whole ones: no adapter or base lies under them.
    pub fn set_weights(&mut self, component: Component, weights: String) {
        let (vision, projector, llm) = (&mut self.vision, &mut self.projector, &mut self.llm);
        let (place, adapter, base) = match component {
            Component::Vision => (&mut vision.weights, &mut vision.adapter, &mut vision.base),
            Component::Projector => (
                &mut projector.weights,
                &mut projector.adapter,
                &mut projector.base,
            ),
            Component::Llm => (&mut llm.weights, &mut llm.adapter, &mut llm.base),
        };
        *place = Some(weights);
        *adapter = None;
        *base = None;
        if component == Component::Vision {
            parts::take_weights(&mut self.vision.options);
        }
    }

    /// Every place that may hold a hub id, with its key path: weights, adapters and bases.
    pub fn weight_places(&mut self) -> Vec<(String, &mut String)> {
        let (vision, projector, llm) = (&mut self.vision, &mut self.projector, &mut self.llm);
        let places = [
            ("vision.weights", &mut vision.weights),
            ("vision.adapter", &mut vision.adapter),
            ("vision.base", &mut vision.base),
            ("projector.weights", &mut projector.weights),
            ("projector.adapter", &mut projector.adapter),
            ("projector.base", &mut projector.base),
            ("llm.weights", &mut llm.weights),
            ("llm.adapter", &mut llm.adapter),
            ("llm.base", &mut llm.base),
        ];
        let places = places.into_iter();
        places
            .filter_map(|(key, place)| Some((key.to_owned(), place.as_mut()?)))
            .chain(parts::weight_places(&mut vision.options))
            .collect()
    }

    /// Where the value at a key path (`stage.align.freeze.0`) was stated, or else the nearest
    /// table around it: for errors that show only once a model or data exists.
    #[must_use]
    pub fn origin(&self, key_path: &str) -> Origin {
        self.origins.at(key_path)
    }

    /// Whether `dtype` is what stands for none.
    pub(crate) fn leaves_dtype_open(&self) -> bool {
        self.dtype == Dtype::default() && !self.origins.state("dtype")
    }

    /// Checks every stage's `freeze` against the paths of all parameters of the model.
    ///
    /// # Errors
    /// A target that matches no parameter, or a stage with no parameter left to learn.
    pub fn check_freeze(&self, parameter_paths: &[String]) -> Result<(), RecipeError> {
        for (name, stage) in self.stages() {
            let paths = parameter_paths.iter().map(String::as_str);
            let checked = check_freeze(&stage.freeze, paths);
            // An adapter learns even where all else is frozen.
            let checked = match checked {
                Err(FreezeError::Everything) if stage.lora.is_some() => Ok(()),
                checked => checked,
            };
            checked.map_err(|error| {
                let key = match &error {
                    FreezeError::Unmatched { pattern, .. } => {
                        let mut targets = stage.freeze.iter();
                        let index = targets.position(|target| target.as_str() == pattern);
                        format!("stage.{name}.freeze.{}", index.unwrap_or(0))
                    }
                    _ => format!("stage.{name}.freeze"),
                };
                RecipeError::Freeze {
                    origin: self.origin(&key),
                    stage: name.to_owned(),
                    error,
                }
            })?;
        }
        Ok(())
    }

    /// Checks that the recipe's stages can be trained in its dtype.
    ///
    /// # Errors
    /// It is f16: small gradients vanish in it without loss scaling, which there is none of. Or it is quantised,
    /// and what is quantised cannot learn.
    pub fn check_dtype(&self) -> Result<(), RecipeError> {
        let message = match self.dtype {
            _ if self.stages.is_empty() => return Ok(()),
            Dtype::F32 | Dtype::Bf16 => return Ok(()),
            Dtype::F16 => {
                "f16 loses small gradients, so nothing is trained in it; state `dtype = \"bf16\"` \
                 or `dtype = \"f32\"`, which f16 weights are read into as well"
            }
            Dtype::Q8 | Dtype::Q4 => {
                "quantised weights cannot learn; state `dtype = \"bf16\"` or `dtype = \"f32\"`, and \
                 quantise the trained model where it is used (`--dtype q8`). An adapter over frozen \
                 quantised weights has `quantize` in its table"
            }
        };
        Err(RecipeError::Invalid {
            origin: self.origin("dtype"),
            key: "dtype".to_owned(),
            message: message.to_owned(),
        })
    }

    /// Checks every stage's `optimizer.groups` against the paths of all parameters of the model.
    ///
    /// # Errors
    /// A target that matches no parameter that learns, or a parameter of two groups.
    pub fn check_optimizer_groups(&self, parameter_paths: &[String]) -> Result<(), RecipeError> {
        let paths: Vec<&str> = parameter_paths.iter().map(String::as_str).collect();
        for (name, stage) in self.stages() {
            let Optimizer::AdamW(adamw) = &stage.optimizer;
            let adapted = |path: &str| stage.lora.as_ref().is_some_and(|lora| lora.covers(path));
            let learns = |path: &str| stage.learns(path) || adapted(path);
            let checked = adamw.check_groups(learns, &paths);
            checked.map_err(|(group, target, error)| RecipeError::Groups {
                origin: self.origin(&format!(
                    "stage.{name}.optimizer.groups.{group}.on.{target}"
                )),
                stage: name.to_owned(),
                error,
            })?;
        }
        Ok(())
    }

    /// Checks that the benchmark of `[eval]` is linked in, takes its options and needs no judge, if
    /// the recipe states one.
    ///
    /// # Errors
    /// There is no such benchmark, or two of one name; options that it does not take; a benchmark
    /// whose answers go to a judge.
    pub fn check_benchmark(&self) -> Result<(), RecipeError> {
        let Some(eval) = &self.eval else {
            return Ok(());
        };
        let Some(name) = &eval.benchmark else {
            if eval.options.is_empty() {
                return Ok(());
            }
            let message = "they are a benchmark's; name it with `benchmark`".to_owned();
            return Err(self.invalid("eval.options", message));
        };
        let built = plugin::benchmark(name).map(|plugin| plugin.build(eval.options.clone()));
        let at = |key: &str, error| RecipeError::Benchmark {
            origin: self.origin(key),
            error,
        };
        let benchmark = built.map_err(|error| at("eval.benchmark", error))?;
        let benchmark = benchmark.map_err(|error| at("eval.options", error))?;
        if benchmark.judged() {
            let message = format!(
                "answers to `{name}` go to a judge, which a training run has not; leave it out, and score the run with `menagerie bench run {name}`"
            );
            return Err(self.invalid("eval.benchmark", message));
        }
        Ok(())
    }

    fn from_node(mut root: Node) -> Result<Self, RecipeError> {
        let origins = Origins::of(&root);
        let place = root.origin.clone();
        let [vision, projector, llm] =
            Component::ALL.map(|component| take_options(&mut root, component));
        let mut recipe = Self::deserialize(root).map_err(|failure| failure.into_error(&place))?;
        recipe.vision.options = vision;
        recipe.projector.options = projector;
        recipe.llm.options = llm;
        recipe.origins = origins;
        check::check(&recipe)?;
        Ok(recipe)
    }
}

/// Takes the keys that are the plugin's out of a component's table.
fn take_options(root: &mut Node, component: Component) -> Table {
    let table = root
        .table_mut()
        .and_then(|root| root.get_mut(component.name()));
    let Some(table) = table.and_then(Node::table_mut) else {
        return Table::new();
    };
    let own = component::own_keys(component);
    let all = std::mem::take(table).into_iter();
    let (core, options): (Vec<_>, Vec<_>) = all.partition(|(key, _)| own.contains(&key.as_str()));
    table.extend(core);
    let options = options.into_iter();
    options
        .map(|(key, node)| (key, node.into_value()))
        .collect()
}
