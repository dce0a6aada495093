//! The adapters of a run: where they begin, go on, and become part of the weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::Device;
use menagerie_core::component::Component;
use menagerie_core::lora::{self, Factors, Form, Passes, Target, is_factor};
use menagerie_core::parameters::ParameterInfo;
use menagerie_core::recipe::{LoraTable, Quantize};
use menagerie_core::weights::{Adapter, AdapterFolder};
use menagerie_core::{Model, Network, Publisher, Recipe};

use super::error::TrainError;
use super::files::FileHash;
use super::run::{RunFolder, weights_name};
use super::stage::StageRun;

/// The adapter that the model carries between stages, if any.
#[derive(Debug)]
pub(super) struct Adapters {
    /// The recipe of the model that was assembled.
    recipe: Recipe,
    /// The model's parameters without adapters.
    parameters: Vec<ParameterInfo>,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    table: LoraTable,
    targets: Vec<Target>,
    bases: BTreeMap<Component, Base>,
    /// Parameters of adapted components that are not the base's any more.
    whole: BTreeSet<String>,
}

/// What an adapter lies over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Weights as a recipe states them; those of the run itself by their name in it.
    pub weights: String,
    /// What these are differences to.
    pub difference_to: Option<String>,
    /// An adapter whose whole tensors count too.
    adapter: Option<String>,
    is_in_run: bool,
}

impl Adapters {
    /// Assembles the model of `recipe`, as the stages to come find it. An adapter that is stated, and
    /// that a stage goes on with, stays apart from the weights; any other becomes part of them.
    pub(super) fn open(
        recipe: &Recipe,
        (done, to_come): (&[StageRun<'_>], &[StageRun<'_>]),
        parameters: &[ParameterInfo],
        run: &RunFolder,
        device: &Device,
    ) -> Result<(Self, Model), TrainError> {
        let mut adapters = Self {
            recipe: recipe.clone(),
            parameters: parameters.to_vec(),
            current: None,
        };
        let next = to_come.iter().find_map(|stage| stage.table.lora.as_ref());
        let next = next.filter(|table| {
            let mut before = to_come
                .iter()
                .take_while(|stage| stage.table.lora.is_none());
            !before.any(|stage| stage.table.merges(table, parameters))
        });
        // One that a stage left becomes part of the weights as it does in a run that goes through.
        let left = || {
            done.iter()
                .rev()
                .find_map(|stage| stage.table.lora.as_ref())
        };
        let Some(table) = next.or_else(left) else {
            let model = recipe.assemble_to_train(&[], device, &mut |_, _| {})?;
            return Ok((adapters, model));
        };
        let targets = table.targets(&recipe.configure()?, parameters);
        let apart: Vec<Component> = components(&targets)
            .into_iter()
            .filter(|&component| recipe.adapter(component).is_some())
            .collect();
        let model = recipe.assemble_to_train(&apart, device, &mut |_, _| {})?;
        if apart.is_empty() {
            return Ok((adapters, model));
        }
        let mut factors = Factors::new();
        let mut whole = BTreeSet::new();
        let mut bases = BTreeMap::new();
        for component in components(&targets) {
            let base = recipe.weights(component);
            let base = base.map(|weights| (component, adapters.stated(component, weights, run)));
            bases.extend(base);
            let Some(path) = recipe.adapter(component) else {
                continue;
            };
            let adapter = Adapter::open(path.as_ref())?;
            let own = targets.iter();
            let own: Vec<&Target> = own.filter(|target| target.component == component).collect();
            factors.extend(adapter.factors(&own, table, model.dtype())?);
            whole.extend(adapters.brought(&adapter, component, &model));
        }
        adapters.current = Some(Current {
            table: table.clone(),
            targets,
            bases,
            whole,
        });
        let model = adapters.put_on(model, None, &Passes::default(), &factors)?;
        Ok((adapters, model))
    }

    /// The model as `stage` trains it.
    pub(super) fn before(
        &mut self,
        stage: &StageRun<'_>,
        model: Model,
        run: &RunFolder,
        previous: Option<&str>,
    ) -> Result<Model, TrainError> {
        let model = match (&stage.table.lora, &mut self.current) {
            (None, None) => return Ok(model),
            (None, Some(current)) if stage.table.merges(&current.table, &self.parameters) => {
                self.current = None;
                return Ok(model.map_network(lora::merge));
            }
            (None, Some(_)) => model,
            (Some(table), current) => {
                let targets = table.targets(model.configured(), &self.parameters);
                let (mut bases, whole) = match current.take() {
                    Some(current) => (current.bases, current.whole),
                    None => (BTreeMap::new(), BTreeSet::new()),
                };
                for component in components(&targets) {
                    if let std::collections::btree_map::Entry::Vacant(vacant) =
                        bases.entry(component)
                    {
                        vacant.insert(self.base(component, &model, run, previous)?);
                    }
                }
                self.current = Some(Current {
                    table: table.clone(),
                    targets,
                    bases,
                    whole,
                });
                let factors = lora::factors(model.network());
                self.put_on(model, table.quantize, &stage.adapter_passes, &factors)?
            }
        };
        if let Some(current) = &mut self.current {
            let adapted = components(&current.targets);
            let is_adapted = |path: &str| {
                let mut adapted = adapted.iter();
                adapted.any(|component| path.starts_with(&format!("{component}.")))
            };
            let learning = self.parameters.iter().map(|info| &info.path);
            let learning = learning.filter(|path| is_adapted(path) && stage.learns(path));
            current.whole.extend(learning.cloned());
        }
        Ok(model)
    }

    /// The model after `stage`, for a score or another stage, on weights as they are: quantised ones
    /// are read again.
    pub(super) fn after(
        &self,
        stage: &StageRun<'_>,
        model: Model,
        run: &RunFolder,
    ) -> Result<Model, TrainError> {
        let table = stage.table.lora.as_ref();
        let is_quantised = table.is_some_and(|table| table.quantize.is_some());
        let current = self.current.as_ref();
        let Some(current) = current.filter(|_| is_quantised && stage.is_followed()) else {
            return Ok(model);
        };
        let mut recipe = self.recipe.clone();
        for (component, base) in &current.bases {
            let weights = if base.is_in_run {
                run.path().join(&base.weights).display().to_string()
            } else {
                base.weights.clone()
            };
            recipe.set_weights(*component, weights);
            recipe.set_base(*component, base.difference_to.clone());
            recipe.set_adapter(*component, base.adapter.clone());
        }
        let apart = components(&current.targets);
        let dense = recipe
            .assemble_to_train(&apart, &model.device(), &mut |_, _| {})?
            .into_network();
        let factors = lora::factors(model.network());
        let is_target = |path: &str| current.targets.iter().any(|target| target.path == path);
        let model = model.map_network(|network| {
            lora::carry(&network, dense, |path| is_factor(path) || is_target(path))
        });
        self.put_on(model, None, &Passes::default(), &factors)
    }

    /// The files that adapters lie over, of those that the stage began with or of the run's own.
    pub(super) fn files(
        &self,
        began_with: &[FileHash],
        run: &RunFolder,
    ) -> Result<Vec<FileHash>, TrainError> {
        let mut files = Vec::new();
        let bases = self
            .current
            .iter()
            .flat_map(|current| current.bases.values());
        for base in bases {
            let own = began_with.iter();
            let own = own.filter(|file| file.path().starts_with(&base.weights));
            let before = files.len();
            files.extend(own.cloned());
            if base.is_in_run && files.len() == before {
                files.push(FileHash::within(run.path(), &base.weights)?);
            }
        }
        Ok(files)
    }

    /// What the component's adapter lies over, if it carries one after a stage.
    pub(super) fn base_of(&self, component: Component) -> Option<&Base> {
        let current = self.current.as_ref()?;
        current.bases.get(&component)
    }

    /// The component's adapter, to be written.
    pub(super) fn folder<'a>(
        &'a self,
        component: Component,
        model: &'a Model,
        base: &'a str,
    ) -> Option<AdapterFolder<'a>> {
        let current = self.current.as_ref()?;
        let targets = current.targets.iter();
        Some(AdapterFolder {
            network: model.network(),
            component,
            checkpoint: model.configured().checkpoint(component),
            table: &current.table,
            targets: targets
                .filter(|target| target.component == component)
                .collect(),
            whole: &current.whole,
            base,
        })
    }

    /// `model` with the current adapter, in place of one that it carries.
    fn put_on(
        &self,
        model: Model,
        quantize: Option<Quantize>,
        passes: &Passes,
        factors: &Factors,
    ) -> Result<Model, TrainError> {
        let Some(current) = &self.current else {
            return Ok(model);
        };
        let form = Form {
            table: &current.table,
            quantize,
            dtype: model.dtype(),
            seed: self.recipe.seed,
            passes: passes.clone(),
        };
        let bare = self.recipe.network(model.configured(), &model.device())?;
        Ok(model.map_network(|network| {
            let bare: Network = lora::carry(&network, bare, is_factor);
            // Weights that are quantised are let go one by one.
            drop(network);
            lora::attach(bare, &current.targets, &form, factors)
        }))
    }

    /// Where the weights lie that a new adapter lies over. If nowhere, they are written.
    fn base(
        &self,
        component: Component,
        model: &Model,
        run: &RunFolder,
        previous: Option<&str>,
    ) -> Result<Base, TrainError> {
        if let (None, Some(weights)) = (previous, self.recipe.weights(component)) {
            return Ok(self.stated(component, weights, run));
        }
        let weights = match previous {
            Some(stage) => weights_name(stage, component),
            None => run.save_base(model, component)?,
        };
        Ok(Base {
            weights,
            difference_to: None,
            adapter: None,
            is_in_run: true,
        })
    }

    /// The weights that the recipe states; of a run that goes on they may be its own.
    fn stated(&self, component: Component, weights: &str, run: &RunFolder) -> Base {
        // As `base_of_adapter` gives it.
        let folder = run.path().canonicalize();
        let folder = folder.unwrap_or_else(|_| run.path().to_owned());
        let own = Path::new(weights).strip_prefix(folder).ok();
        Base {
            weights: own.map_or_else(|| weights.to_owned(), |own| own.display().to_string()),
            difference_to: self.recipe.base(component).map(str::to_owned),
            adapter: self.recipe.adapter(component).map(str::to_owned),
            is_in_run: own.is_some(),
        }
    }

    /// Paths of the component's parameters that `adapter` brings whole.
    fn brought(&self, adapter: &Adapter, component: Component, model: &Model) -> Vec<String> {
        let checkpoint = model.configured().checkpoint(component);
        let Some(spelling) = checkpoint.spelling_of(component, Publisher::Original, true) else {
            return Vec::new();
        };
        let prefix = format!("{component}.");
        let is_brought = |path: &&String| {
            let own = path.strip_prefix(&prefix);
            let key = own.and_then(|own| spelling.key(own));
            key.is_some_and(|(key, _)| adapter.brings(&key))
        };
        let paths = self.parameters.iter().map(|info| &info.path);
        paths.filter(is_brought).cloned().collect()
    }
}

impl Base {
    /// Its name in a file of an adapter's folder in the run, `weights/STAGE/COMPONENT`.
    pub(super) fn seen_from_adapter(&self) -> String {
        if self.is_in_run {
            format!("../../../{}", self.weights)
        } else {
            self.weights.clone()
        }
    }
}

/// The components that `targets` lie in.
pub(super) fn components(targets: &[Target]) -> Vec<Component> {
    let is_in = |component: &Component| targets.iter().any(|t| t.component == *component);
    Component::ALL.into_iter().filter(is_in).collect()
}
