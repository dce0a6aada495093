//! From a recipe to a model.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, Device};

use super::{AssembleError, Model};
use crate::checkpoint::Checkpoint;
use crate::component::Component;
use crate::folder::PROJECTOR_FILES;
use crate::generate::GenerationConfig;
use crate::network::Network;
use crate::newline::WithNewline;
use crate::numbers::Numbers;
use crate::parameters::draw;
use crate::recipe::{Configured, ConfiguredPart, Dtype, Origin, Recipe, RecipeError};
use crate::weights::gguf::Gguf;
use crate::weights::{self, Adapter, LoadReport, Shards, Target, WeightError};

impl Configured {
    /// How checkpoints of a component are read, alone or within a whole model.
    #[must_use]
    pub fn checkpoint(&self, component: Component) -> Checkpoint {
        let alone = match component {
            Component::Vision => self.vision.checkpoint(),
            Component::Projector if self.has_newline() => {
                self.projector.checkpoint().with_newline()
            }
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
        let mut projector = projector.map_err(at(Component::Projector))?;
        if configured.has_newline() {
            projector = WithNewline::new(projector, llm.hidden_size, device).into();
        }
        Ok(Network {
            vision: configured
                .vision
                .init(device)
                .map_err(at(Component::Vision))?,
            projector,
            llm: configured.llm.init(device).map_err(at(Component::Llm))?,
        })
    }

    /// The model of this recipe on `device`, for use: components that state `weights` load them, the others
    /// are drawn from the seed, and weights are packed where that makes products faster (see
    /// [`Numbers`]). To train, adapt or change the network: [`Recipe::assemble_to_train`].
    ///
    /// # Errors
    /// A recipe, weights or a tokenizer that cannot be used; each with its place in the recipe.
    pub fn assemble(&self, device: &Device) -> Result<Model, AssembleError> {
        self.assemble_watched(device, &mut |_, _| {})
    }

    /// As [`Recipe::assemble`]; `progress` hears how many parameters are loaded of how many.
    ///
    /// # Errors
    /// As [`Recipe::assemble`].
    pub fn assemble_watched(
        &self,
        device: &Device,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Model, AssembleError> {
        self.assemble_in(self.numbers_for_use(device)?, &[], device, progress)
    }

    /// As [`Recipe::assemble_watched`], every parameter a plain tensor that can learn or be written. For use,
    /// [`Model::packed`] makes it what [`Recipe::assemble`] gives.
    ///
    /// The low-rank part of the adapters over the components of `apart` is left out: their weights are the
    /// base's, for an adapter that goes on learning (see [`Adapter::factors`]). What such an adapter brings
    /// whole is taken.
    ///
    /// # Errors
    /// As [`Recipe::assemble`].
    pub fn assemble_to_train(
        &self,
        apart: &[Component],
        device: &Device,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Model, AssembleError> {
        let numbers = self.numbers(device)?.unpacked();
        self.assemble_in(numbers, apart, device, progress)
    }

    /// How this recipe's `dtype` is held on `device`.
    ///
    /// # Errors
    /// It is quantised, and the device is no CPU.
    pub fn numbers(&self, device: &Device) -> Result<Numbers, AssembleError> {
        Numbers::new(self.dtype, device).ok_or_else(|| AssembleError::Quantised {
            origin: self.origin("dtype"),
            dtype: self.dtype,
        })
    }

    /// The same for a model that is used: where no type is stated, quantised weights stay as they are.
    fn numbers_for_use(&self, device: &Device) -> Result<Numbers, AssembleError> {
        if self.leaves_dtype_open()
            && Component::ALL.iter().any(|&part| self.is_quantised(part))
            && let Some(numbers) = Numbers::new(Dtype::Q8, device)
        {
            return Ok(numbers);
        }
        self.numbers(device)
    }

    /// Whether a component's weights are a GGUF file with quantised tensors. What is wrong with a file shows when
    /// it is loaded.
    fn is_quantised(&self, component: Component) -> bool {
        let weights = self.weights(component).map(Path::new);
        let gguf = weights.and_then(|path| Gguf::find(path).ok().flatten());
        gguf.is_some_and(|gguf| {
            let mut entries = gguf.tensors().entries();
            entries.any(|(_, entry)| entry.is_quantised())
        })
    }

    fn assemble_in(
        &self,
        numbers: Numbers,
        apart: &[Component],
        device: &Device,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Model, AssembleError> {
        let configured = self.configure()?;
        // All files are looked for before any is read: a missing one shows at once.
        let open = |component| Weights::open(self, component, apart.contains(&component));
        let [vision, projector, llm] = Component::ALL.map(open);
        let (vision, projector, llm) = (vision?, projector?, llm?);
        let parts = configured.vision_parts.iter().map(Weights::of_part);
        let parts: Vec<Weights> = parts.collect::<Result<_, _>>()?;
        let tokenizer = self.load_tokenizer(configured.llm_spec.vocab_size)?;
        let template = self.template(&self.llm.chat, "llm.chat")?;

        let fresh = self.network(&configured, &device.clone().inner())?;
        let total = fresh.num_params();
        let mut done = 0;
        let mut loaded = |parameters| {
            done += parameters;
            progress(done, total);
        };
        let checkpoint = |component| configured.checkpoint(component);
        let (mut vision, vision_report) = vision.load(
            fresh.vision,
            &checkpoint(Component::Vision),
            numbers,
            &mut loaded,
        )?;
        let mut part_reports = Vec::new();
        for (part, weights) in configured.vision_parts.iter().zip(parts) {
            let checkpoint = part.config.checkpoint().joined(Component::Vision);
            let report;
            (vision, report) = weights.load(vision, &checkpoint, numbers, &mut loaded)?;
            part_reports.push(report);
        }
        let (projector, projector_report) = projector.load(
            fresh.projector,
            &checkpoint(Component::Projector),
            numbers,
            &mut loaded,
        )?;
        let (llm, llm_report) =
            llm.load(fresh.llm, &checkpoint(Component::Llm), numbers, &mut loaded)?;
        let network = Network {
            vision,
            projector,
            llm,
        };
        let reports = [vision_report, projector_report, llm_report];
        self.check_left_over(&reports)?;
        let mut loaded: Vec<_> = Component::ALL.into_iter().zip(reports).collect();
        if part_reports.iter().any(Option::is_some) {
            let parts = part_reports.into_iter();
            loaded.splice(0..1, parts.map(|report| (Component::Vision, report)));
        }
        draw(&network, self.seed);
        let network = numbers.settle(network);
        let (generation, end_tokens) = self.generation(&tokenizer, &template)?;
        Ok(Model {
            network,
            configured,
            tokenizer,
            template,
            numbers,
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
        for component in Component::ALL {
            recipe.set_weights(component, weights(component));
        }
        recipe.llm.tokenizer = Some(tokenizer.into());
        recipe.llm.generation = Some(generation.clone());
        recipe.stages = Vec::new();
        recipe.stage.clear();
        recipe.cache_features = false;
        recipe.eval = None;
        recipe.checkpoint = None;
        recipe
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

/// The files of a component's weights, or of a part of it, opened; none if the recipe states none.
struct Weights {
    /// The component, in errors.
    name: String,
    /// What the paths of its parameters begin with within the component's module.
    root: String,
    origin: Origin,
    shards: Option<Shards>,
    /// Whether no model's folder says that images are grids.
    draws_newline: bool,
}

impl Weights {
    /// With `apart`, the adapter's low-rank part stays out of them.
    fn open(recipe: &Recipe, component: Component, apart: bool) -> Result<Self, AssembleError> {
        let at = |key: &str| recipe.origin(&format!("{component}.{key}"));
        let origin = at("weights");
        let failed = |origin: Origin| move |source| AssembleError::Weights { origin, source };
        let Some(path) = recipe.weights(component) else {
            return Ok(Self {
                name: component.name().to_owned(),
                root: String::new(),
                origin,
                shards: None,
                draws_newline: true,
            });
        };
        let mut shards = open_shards(component, path.as_ref()).map_err(failed(origin.clone()))?;
        if let Some(base) = recipe.base(component) {
            let under = Shards::open(base.as_ref()).map_err(failed(at("base")))?;
            shards = shards.over(&under).map_err(failed(at("base")))?;
        }
        if let Some(adapter) = recipe.adapter(component) {
            let adapter = Adapter::open(adapter.as_ref()).map_err(failed(at("adapter")))?;
            shards = if apart {
                adapter.whole_over(shards)
            } else {
                adapter.over(shards).map_err(failed(at("adapter")))?
            };
        }
        Ok(Self {
            name: component.name().to_owned(),
            root: String::new(),
            origin,
            shards: Some(shards),
            draws_newline: !recipe.origin("vision.resize").is_folder(),
        })
    }

    /// Of an encoder that is a part of another.
    fn of_part(part: &ConfiguredPart) -> Result<Self, AssembleError> {
        let shards = part
            .weights
            .as_ref()
            .map(|path| Shards::open(path.as_ref()));
        let shards = shards
            .transpose()
            .map_err(|source| AssembleError::Weights {
                origin: part.origin.clone(),
                source,
            })?;
        Ok(Self {
            name: format!("{}.{}", Component::Vision, part.place),
            root: format!("{}.", part.place),
            origin: part.origin.clone(),
            shards,
            draws_newline: true,
        })
    }

    /// `module` with its weights, or as it is.
    fn load<M: Module>(
        self,
        module: M,
        checkpoint: &Checkpoint,
        numbers: Numbers,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(M, Option<LoadReport>), AssembleError> {
        let Some(shards) = self.shards else {
            return Ok((module, None));
        };
        let target = Target {
            component: &self.name,
            root: &self.root,
            checkpoint,
            draws_newline: self.draws_newline,
        };
        match weights::load_into(module, target, &shards, numbers, progress) {
            Ok((module, report)) => Ok((module, Some(report))),
            Err(source) => Err(AssembleError::Weights {
                origin: self.origin,
                source,
            }),
        }
    }
}

impl From<Dtype> for DType {
    /// The type that weights become when they are read; quantised ones become f32.
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 | Dtype::Q8 | Dtype::Q4 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::Bf16 => Self::BF16,
        }
    }
}
