//! The run folder.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use menagerie_core::component::Component;
use menagerie_core::folder::base_of_adapter;
use menagerie_core::tokens::Tokenizer;
use menagerie_core::weights::{AdapterFolder, PARTIAL};
use menagerie_core::{Model, Recipe, RecipeError};

use super::adapters::Adapters;
use super::error::TrainError;
use super::files::{
    FileHash, entries, json_line, link, pretty_json, read_error, sweep, write_error, write_whole,
};
use super::manifest::Manifest;
use super::skipped::SkippedLog;
use super::stage::StageRun;
use crate::eval::Evaluation;
use crate::lock::{FolderLock, LOCK};

/// A run folder, held by one process at a time.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Where the features of images are kept.
    features: PathBuf,
    lock: FolderLock,
}

/// The folder beside the runs that their images' features lie in.
const FEATURES: &str = ".features";
/// How long somebody who looks whether a run goes on may hold the lock, and how often that is waited
/// for.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: usize = 50;

impl RunFolder {
    /// Makes the folder `path`, which must not exist or be empty.
    ///
    /// # Errors
    /// It holds something, or cannot be made.
    pub fn create(path: &Path) -> Result<Self, TrainError> {
        fs::create_dir_all(path).map_err(|source| write_error(path, source))?;
        for entry in entries(path)? {
            // A run that was killed before it had begun leaves no more than these.
            let name = entry.file_name();
            if name != LOCK && !name.to_string_lossy().starts_with(PARTIAL) {
                return Err(TrainError::NotEmpty(path.to_owned()));
            }
        }
        let run = Self::lock(path)?;
        run.sweep()?;
        Ok(run)
    }

    /// Opens the folder of a run that has begun, to go on with it.
    ///
    /// # Errors
    /// No run is there, or another process trains in it.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        if !path.join("recipe.toml").is_file() {
            return Err(TrainError::NoRun(path.to_owned()));
        }
        Self::lock(path)
    }

    fn lock(path: &Path) -> Result<Self, TrainError> {
        for _ in 0..LOOKS {
            let lock = FolderLock::take(path);
            match lock.map_err(|source| write_error(&path.join(LOCK), source))? {
                None => std::thread::sleep(LOOK),
                Some(lock) => {
                    return Ok(Self {
                        path: path.to_owned(),
                        features: path.with_file_name(FEATURES),
                        lock,
                    });
                }
            }
        }
        Err(TrainError::Locked(path.to_owned()))
    }

    /// Whether a process trains in the folder `path` now.
    pub(crate) fn is_held(path: &Path) -> bool {
        let lock = File::open(path.join(LOCK));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Makes the first of `parent/name`, `parent/name-2`, `parent/name-3`, … that is free.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create_new(parent: &Path, name: &str) -> Result<Self, TrainError> {
        fs::create_dir_all(parent).map_err(|source| write_error(parent, source))?;
        let mut number = 1;
        loop {
            let path = match number {
                1 => parent.join(name),
                _ => parent.join(format!("{name}-{number}")),
            };
            match fs::create_dir(&path) {
                Ok(()) => return Self::lock(&path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(write_error(&path, source)),
            }
        }
    }

    /// Removes the folder again if nothing was written into it.
    pub fn discard_if_empty(self) {
        let entries = fs::read_dir(&self.path);
        if entries.is_ok_and(|entries| entries.count() == 1) {
            drop(self.lock);
            let _ = fs::remove_file(self.path.join(LOCK));
            // A folder that holds something by now is not removed, which is what is wanted.
            let _ = fs::remove_dir(&self.path);
        }
    }

    /// Removes what interrupted writes left.
    pub(super) fn sweep(&self) -> Result<(), TrainError> {
        sweep(&self.path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the features of images in `folder`, if the recipe says that they are kept. Default: in
    /// `.features` beside the run folder, where all runs beside it find them.
    #[must_use]
    pub fn with_features(self, folder: PathBuf) -> Self {
        Self {
            features: folder,
            ..self
        }
    }

    /// Where the features of images are kept.
    pub fn features(&self) -> &Path {
        &self.features
    }

    /// The file of a component's weights after a stage.
    pub(super) fn weights(&self, stage: &str, component: Component) -> PathBuf {
        self.path.join(weights_name(stage, component))
    }

    /// What is written before the first step.
    pub(super) fn begin(&self, recipe: &Recipe, manifest: &Manifest) -> Result<(), TrainError> {
        self.write("recipe.toml", recipe.to_toml()?.as_bytes())?;
        self.copy_tokenizer(recipe)?;
        self.write_manifest(manifest)
    }

    /// The tokenizer and what lies beside it that a model needs.
    pub(super) fn copy_tokenizer(&self, recipe: &Recipe) -> Result<(), TrainError> {
        let copies = recipe.tokenizer_path().map(|path| Tokenizer::copies(&path));
        for (name, bytes) in copies.transpose()?.iter().flatten() {
            self.write(name, bytes)?;
        }
        // It may name end tokens of its own.
        if let Some(file) = recipe.generation_config_path() {
            let bytes = fs::read(&file).map_err(|source| read_error(&file, source))?;
            self.write("generation_config.json", &bytes)?;
        }
        Ok(())
    }

    pub(super) fn write_manifest(&self, manifest: &Manifest) -> Result<(), TrainError> {
        self.write("manifest.json", &pretty_json(manifest))
    }

    /// Writes weights that an adapter lies over and that are in no file, and gives their name within
    /// the run.
    pub(super) fn save_base(
        &self,
        model: &Model,
        component: Component,
    ) -> Result<String, TrainError> {
        let name = weights_name(BASE, component);
        let file = self.path.join(&name);
        let folder = self.path.join("weights").join(BASE);
        fs::create_dir_all(&folder).map_err(|source| write_error(&folder, source))?;
        model.save(component, &file)?;
        Ok(name)
    }

    /// `model.toml`: the recipe without its training, on the weights of `stage`.
    pub(super) fn write_model(
        &self,
        recipe: &Recipe,
        model: &Model,
        adapters: &Adapters,
        stage: &str,
    ) -> Result<(), TrainError> {
        let weights = |component| weights_name(stage, component);
        let mut trained = recipe.for_use(weights, tokenizer_name(recipe), model.generation());
        for component in Component::ALL {
            if let Some(base) = adapters.base_of(component) {
                trained.set_weights(component, base.weights.clone());
                trained.set_base(component, base.difference_to.clone());
                trained.set_adapter(component, Some(adapter_name(stage, component)));
            }
        }
        self.write("model.toml", trained.to_toml()?.as_bytes())
    }

    /// Writes the components after `stage`; of one with an adapter, that alone. One that no stage
    /// since `previous` trained is the same file, linked where the file system can.
    pub(super) fn save_stage(
        &self,
        stage: &StageRun<'_>,
        model: &Model,
        adapters: &Adapters,
        previous: Option<&str>,
    ) -> Result<Vec<FileHash>, TrainError> {
        let folder = self.path.join("weights").join(stage.name);
        fs::create_dir_all(&folder).map_err(|source| write_error(&folder, source))?;
        let mut hashes = Vec::new();
        for component in Component::ALL {
            if let Some(base) = adapters.base_of(component) {
                let over = base.seen_from_adapter();
                if let Some(adapter) = adapters.folder(component, model, &over) {
                    hashes.extend(self.save_adapter(stage.name, &adapter)?);
                }
                continue;
            }
            let file = self.weights(stage.name, component);
            match previous.filter(|_| !stage.trains(model, component)) {
                Some(previous) => link(&self.weights(previous, component), &file)?,
                None => model.save(component, &file)?,
            }
            hashes.push(FileHash::within(
                &self.path,
                &weights_name(stage.name, component),
            )?);
        }
        Ok(hashes)
    }

    fn save_adapter(
        &self,
        stage: &str,
        adapter: &AdapterFolder<'_>,
    ) -> Result<Vec<FileHash>, TrainError> {
        let name = adapter_name(stage, adapter.component);
        let folder = self.path.join(&name);
        fs::create_dir_all(&folder).map_err(|source| write_error(&folder, source))?;
        let files = adapter.write(&folder)?.into_iter();
        files
            .map(|file| FileHash::within(&self.path, &format!("{name}/{file}")))
            .collect()
    }

    pub(super) fn write_answers(
        &self,
        name: &str,
        evaluation: &Evaluation,
    ) -> Result<(), TrainError> {
        let folder = self.path.join("answers");
        fs::create_dir_all(&folder).map_err(|source| write_error(&folder, source))?;
        let lines: Vec<u8> = evaluation.answers.iter().flat_map(json_line).collect();
        self.write(&format!("answers/{name}.jsonl"), &lines)
    }

    /// Opens `skipped.jsonl` to add samples that a stage cannot learn from.
    pub(super) fn skipped(&self, stage: &str) -> Result<SkippedLog, TrainError> {
        SkippedLog::open(&self.path.join("skipped.jsonl"), stage)
    }

    /// Writes a file whole or not at all.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        write_whole(&self.path.join(name), bytes)
    }
}

/// The recipe of the run in `folder`, to make the model as `stage` found it.
pub(super) fn before_stage(
    recipe: &Recipe,
    folder: &Path,
    stage: &str,
) -> Result<Recipe, TrainError> {
    let mut from = recipe.clone();
    let place = recipe.stages.iter().position(|name| name == stage);
    if let Some(previous) = place.and_then(|place| place.checked_sub(1)) {
        // The tokenizer may lie beside the weights of the recipe, which are no longer named.
        let tokenizer = folder.join(tokenizer_name(recipe));
        weights_after(&mut from, folder, &recipe.stages[previous])?;
        from.llm.tokenizer = Some(tokenizer);
    }
    Ok(from)
}

/// Lets a recipe start from the weights that the run in `folder` had after `stage`, if they are
/// there.
///
/// # Errors
/// An adapter that does not say what it lies over.
pub fn weights_after(recipe: &mut Recipe, folder: &Path, stage: &str) -> Result<(), TrainError> {
    let text = |path: PathBuf| {
        let path = std::path::absolute(&path).unwrap_or(path);
        path.display().to_string()
    };
    for component in Component::ALL {
        let file = folder.join(weights_name(stage, component));
        let adapter = folder.join(adapter_name(stage, component));
        if file.is_file() {
            recipe.set_weights(component, text(file));
        } else if adapter.is_dir() {
            let base = base_of_adapter(&adapter).map_err(RecipeError::from)?;
            // What the base is a difference to is said where the base is stated.
            let is_stated = recipe.weights(component) == Some(base.as_str());
            let under = recipe.base(component).filter(|_| is_stated);
            let under = under.map(str::to_owned);
            recipe.set_weights(component, base);
            recipe.set_base(component, under);
            recipe.set_adapter(component, Some(text(adapter)));
        }
    }
    Ok(())
}

/// What the tokenizer is called in a run folder.
fn tokenizer_name(recipe: &Recipe) -> &'static str {
    let path = recipe.tokenizer_path().unwrap_or_default();
    Tokenizer::copied_name(&path)
}

/// Where weights lie that were drawn from the seed and that an adapter lies over: no stage's name,
/// which has no capital.
const BASE: &str = "BASE";

fn adapter_name(stage: &str, component: Component) -> String {
    format!("weights/{stage}/{component}")
}

/// The name within a run of a component's weights after a stage.
pub(super) fn weights_name(stage: &str, component: Component) -> String {
    format!("weights/{stage}/{component}.safetensors")
}
