//! From a recipe to a model.

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor};
use thiserror::Error;

use super::Model;
use crate::chat::{Template, TemplateError, UnknownTemplate};
use crate::checkpoint::Checkpoint;
use crate::component::Component;
use crate::folder::PROJECTOR_FILES;
use crate::generate::GenerationConfig;
use crate::network::Network;
use crate::parameters::draw;
use crate::recipe::{Configured, Dtype, Origin, Recipe, RecipeError};
use crate::tokens::{EncodeError, Tokenizer, TokenizerError};
use crate::weights::gguf::Gguf;
use crate::weights::{self, Adapter, LoadReport, Shards, WeightError};

/// The name in `chat = "…"` of the template that a folder brings.
pub(crate) const JINJA: &str = "jinja";

/// A recipe that cannot become a model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// The recipe is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    /// Weights that a component states cannot be loaded.
    #[error("{origin}: {source}")]
    Weights {
        /// Where the recipe states them.
        origin: Origin,
        /// Why.
        source: WeightError,
    },

    /// The tokenizer cannot be read.
    #[error("{origin}: {source}")]
    Tokenizer {
        /// Where the recipe states it.
        origin: Origin,
        /// Why.
        source: TokenizerError,
    },

    /// No tokenizer is stated.
    #[error(
        "{origin}: `[llm]` states no tokenizer; add `tokenizer = \"…/tokenizer.json\"`, or `weights` with a folder that holds one"
    )]
    NoTokenizer {
        /// The `[llm]` table.
        origin: Origin,
    },

    /// The tokenizer has more tokens than the decoder.
    #[error(
        "{origin}: the tokenizer has {tokens} tokens and the decoder embeds {vocab_size}; they do not belong together"
    )]
    Vocabulary {
        /// Where the recipe states the tokenizer.
        origin: Origin,
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Rows of the embedding table.
        vocab_size: usize,
    },

    /// No such conversation template.
    #[error("{origin}: {source}")]
    Chat {
        /// Where the recipe states it.
        origin: Origin,
        /// What there is.
        source: UnknownTemplate,
    },

    /// The folder's own conversation template cannot be used.
    #[error("{origin}: {source}")]
    Template {
        /// Where the recipe asks for it.
        origin: Origin,
        /// Why.
        source: TemplateError,
    },

    /// The folder brings no conversation template.
    #[error(
        "{origin}: `{JINJA}` is the chat template that comes with a tokenizer, and `{}` brings none; name a built-in one: {}",
        .folder.display(), Template::names().join(", ")
    )]
    NoTemplate {
        /// Where the recipe asks for it.
        origin: Origin,
        /// The tokenizer's folder or file.
        folder: PathBuf,
    },

    /// The tokens around images are none of the tokenizer's.
    #[error("{origin}: {source}")]
    ImageWrap {
        /// Where the recipe states them.
        origin: Origin,
        /// Which.
        source: EncodeError,
    },

    /// A generation config beside the weights that cannot be read.
    #[error("`{}`: {problem}", .path.display())]
    Generation {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl Configured {
    /// How checkpoints of a component are read, alone or within a whole model.
    #[must_use]
    pub fn checkpoint(&self, component: Component) -> Checkpoint {
        let alone = match component {
            Component::Vision => self.vision.checkpoint(),
            Component::Projector => self.projector.checkpoint(),
            Component::Llm => self.llm.checkpoint(),
        };
        alone.joined(component)
    }
}

impl Recipe {
    /// The network of this recipe on `device`, its weights not yet drawn or loaded: it takes no
    /// memory, and its parameters can be counted.
    ///
    /// # Errors
    /// As [`Recipe::configure`].
    pub fn network(
        &self,
        configured: &Configured,
        device: &Device,
    ) -> Result<Network, RecipeError> {
        let at = |component| move |error| self.build_error(component, error);
        let (vision, llm) = (&configured.vision_spec, &configured.llm_spec);
        let projector = configured.projector.init(vision, llm, device);
        Ok(Network {
            vision: configured
                .vision
                .init(device)
                .map_err(at(Component::Vision))?,
            projector: projector.map_err(at(Component::Projector))?,
            llm: configured.llm.init(device).map_err(at(Component::Llm))?,
        })
    }

    /// The model of this recipe on `device`: components that state `weights` load them, the others
    /// are drawn from the seed.
    ///
    /// # Errors
    /// A recipe, weights or a tokenizer that cannot be used; each with its place in the recipe.
    pub fn assemble(&self, device: &Device) -> Result<Model, AssembleError> {
        let configured = self.configure()?;
        let dtype = self.dtype.into();
        // All files are looked for before any is read: a missing one shows at once.
        let open = |component| Weights::open(self, component);
        let [vision, projector, llm] = Component::ALL.map(open);
        let (vision, projector, llm) = (vision?, projector?, llm?);
        let tokenizer = self.load_tokenizer(configured.llm_spec.vocab_size)?;
        let template = self.template(&self.llm.chat, "llm.chat")?;

        let images = self.vision.images.clone().unwrap_or_default();
        let resize = self.vision.resize.unwrap_or(configured.vision_info.resize);
        let processor = images.processor(&configured.vision_spec, resize);

        let fresh = self.network(&configured, &device.clone().inner())?;
        let (vision, vision_report) = vision.load(fresh.vision, &configured, dtype)?;
        let (projector, projector_report) = projector.load(fresh.projector, &configured, dtype)?;
        let (llm, llm_report) = llm.load(fresh.llm, &configured, dtype)?;
        let network = Network {
            vision,
            projector,
            llm,
        };
        let reports = [vision_report, projector_report, llm_report];
        self.check_left_over(&reports)?;
        let loaded = Component::ALL.into_iter().zip(reports).collect();
        draw(&network, self.seed);
        let network = network.map(&mut Cast(dtype));
        let (generation, end_tokens) = self.generation(&tokenizer, &template)?;
        Ok(Model {
            network,
            configured,
            tokenizer,
            template,
            processor,
            dtype,
            generation,
            end_tokens,
            loaded,
        })
    }

    /// Whether every tensor of a whole model's files is some component's.
    fn check_left_over(&self, reports: &[Option<LoadReport>; 3]) -> Result<(), AssembleError> {
        let [Some(vision), Some(projector), Some(llm)] = reports else {
            return Ok(());
        };
        if vision.path != projector.path || projector.path != llm.path {
            return Ok(());
        }
        let others = [&projector.elsewhere, &llm.elsewhere].map(|names| {
            let names = names.iter().map(String::as_str);
            names.collect::<std::collections::HashSet<_>>()
        });
        let of_nobody = |name: &&String| others.iter().all(|names| names.contains(name.as_str()));
        let left_over: Vec<String> = vision.elsewhere.iter().filter(of_nobody).cloned().collect();
        if left_over.is_empty() {
            return Ok(());
        }
        Err(AssembleError::Weights {
            origin: self.origin("llm.weights"),
            source: WeightError::LeftOver {
                component: "the model".to_owned(),
                path: llm.path.clone(),
                left_over,
            },
        })
    }

    /// What a component's `weights` says.
    #[must_use]
    pub fn weights(&self, component: Component) -> Option<&str> {
        let weights = match component {
            Component::Vision => &self.vision.weights,
            Component::Projector => &self.projector.weights,
            Component::Llm => &self.llm.weights,
        };
        weights.as_deref()
    }

    /// The adapter over a component's weights.
    #[must_use]
    pub fn adapter(&self, component: Component) -> Option<&str> {
        let adapter = match component {
            Component::Vision => &self.vision.adapter,
            Component::Projector => &self.projector.adapter,
            Component::Llm => &self.llm.adapter,
        };
        adapter.as_deref()
    }

    /// What a component's weights are differences to.
    #[must_use]
    pub fn base(&self, component: Component) -> Option<&str> {
        let base = match component {
            Component::Vision => &self.vision.base,
            Component::Projector => &self.projector.base,
            Component::Llm => &self.llm.base,
        };
        base.as_deref()
    }

    /// The file or folder that the tokenizer is read from.
    #[must_use]
    pub fn tokenizer_path(&self) -> Option<PathBuf> {
        let beside_weights = || self.llm.weights.as_ref().map(PathBuf::from);
        self.llm.tokenizer.clone().or_else(beside_weights)
    }

    /// This recipe without its training, on weights of its own: what a run folder's `model.toml`
    /// holds.
    #[must_use]
    pub fn for_use(
        &self,
        weights: impl Fn(Component) -> String,
        tokenizer: &str,
        generation: &GenerationConfig,
    ) -> Self {
        let mut recipe = self.clone();
        recipe.vision.weights = Some(weights(Component::Vision));
        recipe.projector.weights = Some(weights(Component::Projector));
        recipe.llm.weights = Some(weights(Component::Llm));
        recipe.vision.adapter = None;
        recipe.vision.base = None;
        recipe.projector.adapter = None;
        recipe.projector.base = None;
        recipe.llm.adapter = None;
        recipe.llm.base = None;
        recipe.llm.tokenizer = Some(tokenizer.into());
        recipe.llm.generation = Some(generation.clone());
        recipe.stages = Vec::new();
        recipe.stage.clear();
        recipe.eval = None;
        recipe
    }

    /// A built-in template, or the one that the tokenizer's folder brings, `jinja`.
    fn template(&self, name: &str, key: &str) -> Result<Template, AssembleError> {
        let origin = self.origin(key);
        if name != JINJA {
            return Template::named(name).map_err(|source| AssembleError::Chat { origin, source });
        }
        let place = self.tokenizer_path();
        let found = place.as_deref().map(Template::from_folder).transpose();
        let found = found.map_err(|source| AssembleError::Template {
            origin: origin.clone(),
            source,
        })?;
        if let Some(template) = found.flatten() {
            return Ok(template);
        }
        let folder = place.unwrap_or_default();
        let inside = match Gguf::find(&folder) {
            Ok(Some(gguf)) => Template::from_gguf(&gguf),
            _ => Ok(None),
        };
        match inside {
            Ok(Some(template)) => Ok(template),
            Ok(None) => Err(AssembleError::NoTemplate { origin, folder }),
            Err(source) => Err(AssembleError::Template {
                origin,
                source: TemplateError::Jinja {
                    path: folder,
                    source,
                },
            }),
        }
    }

    /// The template that a stage's data is written in.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn stage_template(&self, stage: &str) -> Result<Template, AssembleError> {
        match self
            .stage
            .get(stage)
            .and_then(|table| table.data.chat.as_ref())
        {
            Some(name) => self.template(name, &format!("stage.{stage}.data.chat")),
            None => self.template(&self.llm.chat, "llm.chat"),
        }
    }

    /// The template that the questions of `[eval]` are written in.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn eval_template(&self) -> Result<Template, AssembleError> {
        match self
            .eval
            .as_ref()
            .and_then(|table| table.data.chat.as_ref())
        {
            Some(name) => self.template(name, "eval.data.chat"),
            None => self.template(&self.llm.chat, "llm.chat"),
        }
    }

    fn load_tokenizer(&self, vocab_size: usize) -> Result<Tokenizer, AssembleError> {
        let key = if self.llm.tokenizer.is_some() {
            "llm.tokenizer"
        } else {
            "llm.weights"
        };
        let origin = self.origin(key);
        let Some(path) = self.tokenizer_path() else {
            return Err(AssembleError::NoTokenizer {
                origin: self.origin("llm"),
            });
        };
        let tokenizer = match Tokenizer::load(path) {
            Ok(tokenizer) => tokenizer,
            Err(source) => return Err(AssembleError::Tokenizer { origin, source }),
        };
        let tokens = tokenizer.vocab_size();
        if tokens > vocab_size {
            return Err(AssembleError::Vocabulary {
                origin,
                tokens,
                vocab_size,
            });
        }
        match &self.llm.image_wrap {
            None => Ok(tokenizer),
            Some([before, after]) => {
                let wrapped = tokenizer.with_image_wrap([before, after]);
                wrapped.map_err(|source| AssembleError::ImageWrap {
                    origin: self.origin("llm.image_wrap"),
                    source,
                })
            }
        }
    }

    /// The `generation_config.json` beside the decoder's weights, or else beside the tokenizer.
    #[must_use]
    pub fn generation_config_path(&self) -> Option<PathBuf> {
        let weights = self.llm.weights.as_ref().map(PathBuf::from);
        let tokenizer = self.tokenizer_path().map(|path| match path.parent() {
            Some(parent) if !path.is_dir() => parent.to_owned(),
            _ => path,
        });
        let folders = weights.into_iter().chain(tokenizer);
        let mut files = folders.map(|folder| folder.join("generation_config.json"));
        files.find(|file| file.is_file())
    }

    /// How answers are drawn, and the tokens that end one: the recipe's word, or else that of the
    /// file of [`Recipe::generation_config_path`].
    fn generation(
        &self,
        tokenizer: &Tokenizer,
        template: &Template,
    ) -> Result<(GenerationConfig, Vec<i64>), AssembleError> {
        let file = self.generation_config_path();
        let stated = file.as_deref().map(read_generation_config).transpose()?;
        let mut end_tokens = tokenizer.end_tokens(template);
        let mut config = GenerationConfig::default();
        if let Some((file_config, ends)) = stated {
            config = file_config;
            end_tokens.extend(ends);
            end_tokens.sort_unstable();
            end_tokens.dedup();
        }
        Ok((self.llm.generation.clone().unwrap_or(config), end_tokens))
    }
}

/// The weights at a path; a projector may lie alone in a file of its own name.
fn open_shards(component: Component, path: &Path) -> Result<Shards, WeightError> {
    match Shards::open(path) {
        Err(WeightError::NotFound { .. }) if component == Component::Projector && path.is_dir() => {
            Shards::open_named(path, &PROJECTOR_FILES)
        }
        opened => opened,
    }
}

/// The files of a component's weights, opened; none if the recipe states none.
struct Weights {
    component: Component,
    origin: Origin,
    shards: Option<Shards>,
}

impl Weights {
    fn open(recipe: &Recipe, component: Component) -> Result<Self, AssembleError> {
        let at = |key: &str| recipe.origin(&format!("{component}.{key}"));
        let origin = at("weights");
        let failed = |origin: Origin| move |source| AssembleError::Weights { origin, source };
        let Some(path) = recipe.weights(component) else {
            return Ok(Self {
                component,
                origin,
                shards: None,
            });
        };
        let mut shards = open_shards(component, path.as_ref()).map_err(failed(origin.clone()))?;
        if let Some(base) = recipe.base(component) {
            let under = Shards::open(base.as_ref()).map_err(failed(at("base")))?;
            shards = shards.over(&under).map_err(failed(at("base")))?;
        }
        if let Some(adapter) = recipe.adapter(component) {
            let adapter = Adapter::open(adapter.as_ref()).map_err(failed(at("adapter")))?;
            shards = adapter.over(shards).map_err(failed(at("adapter")))?;
        }
        Ok(Self {
            component,
            origin,
            shards: Some(shards),
        })
    }

    /// `module` with its weights, or as it is.
    fn load<M: Module>(
        self,
        module: M,
        configured: &Configured,
        dtype: DType,
    ) -> Result<(M, Option<LoadReport>), AssembleError> {
        let Some(shards) = self.shards else {
            return Ok((module, None));
        };
        let checkpoint = configured.checkpoint(self.component);
        match weights::load(module, self.component.name(), &checkpoint, &shards, dtype) {
            Ok((module, report)) => Ok((module, Some(report))),
            Err(source) => Err(AssembleError::Weights {
                origin: self.origin,
                source,
            }),
        }
    }
}

/// The fields of Hugging Face's `generation_config.json` that are known here.
fn read_generation_config(path: &Path) -> Result<(GenerationConfig, Vec<i64>), AssembleError> {
    let failure = |problem: String| AssembleError::Generation {
        path: path.to_owned(),
        problem,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failure(error.to_string()))?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| failure(error.to_string()))?;
    let number = |key: &str| json.get(key).and_then(serde_json::Value::as_f64);
    let whole = |key: &str| {
        let value = json.get(key).and_then(serde_json::Value::as_u64);
        value.and_then(|value| usize::try_from(value).ok())
    };
    let samples = json
        .get("do_sample")
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(false);
    let default = GenerationConfig::default();
    let config = GenerationConfig {
        temperature: if samples {
            number("temperature").unwrap_or(1.0)
        } else {
            0.0
        },
        top_p: number("top_p").unwrap_or(default.top_p),
        // transformers draws from 50 tokens where the file says nothing.
        top_k: if samples {
            whole("top_k").unwrap_or(50)
        } else {
            default.top_k
        },
        min_p: number("min_p").unwrap_or(default.min_p),
        repetition_penalty: number("repetition_penalty").unwrap_or(default.repetition_penalty),
        max_new_tokens: whole("max_new_tokens").unwrap_or(default.max_new_tokens),
        ..default
    };
    let ends = match json.get("eos_token_id") {
        Some(serde_json::Value::Array(ids)) => {
            ids.iter().filter_map(serde_json::Value::as_i64).collect()
        }
        Some(id) => id.as_i64().into_iter().collect(),
        None => Vec::new(),
    };
    Ok((config, ends))
}

impl From<Dtype> for DType {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::Bf16 => Self::BF16,
        }
    }
}

/// Casts weights that were drawn; loaded ones have the dtype already.
struct Cast(DType);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            if tensor.dtype() == self.0 {
                tensor
            } else {
                tensor.cast(self.0)
            }
        })
    }
}
