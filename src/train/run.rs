//! The run folder.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use menagerie_core::component::Component;
use menagerie_core::tokens::Tokenizer;
use menagerie_core::{Model, Recipe};

use super::error::TrainError;
use super::files::{FileHash, append, json_line, link, pretty_json, write_error, write_whole};
use super::manifest::Manifest;
use super::metrics::{MetricsLog, Score, StepMetrics};
use super::skipped::SkippedLog;
use super::stage::StageRun;
use crate::eval::Evaluation;

/// A run folder, held for one run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder `path`, which must not exist or be empty.
    ///
    /// # Errors
    /// It holds something, or cannot be made.
    pub fn create(path: &Path) -> Result<Self, TrainError> {
        fs::create_dir_all(path).map_err(|source| write_error(path, source))?;
        let mut entries = fs::read_dir(path).map_err(|source| write_error(path, source))?;
        if entries.next().is_some() {
            return Err(TrainError::NotEmpty(path.to_owned()));
        }
        Ok(Self {
            path: path.to_owned(),
        })
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
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(write_error(&path, source)),
            }
        }
    }

    /// Removes the folder again if nothing was written into it.
    pub fn discard_if_empty(&self) {
        // A folder that holds something is not removed, which is what is wanted.
        let _ = fs::remove_dir(&self.path);
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a component's weights after a stage.
    pub(super) fn weights(&self, stage: &str, component: Component) -> PathBuf {
        self.path.join(weights_name(stage, component))
    }

    /// What is written before the first step.
    pub(super) fn begin(&self, recipe: &Recipe, manifest: &Manifest) -> Result<(), TrainError> {
        self.write("recipe.toml", recipe.to_toml()?.as_bytes())?;
        let copies = recipe.tokenizer_path().map(|path| Tokenizer::copies(&path));
        for (name, bytes) in copies.transpose()?.iter().flatten() {
            self.write(name, bytes)?;
        }
        // It may name end tokens of its own.
        if let Some(file) = recipe.generation_config_path() {
            let bytes = fs::read(&file).map_err(|source| write_error(&file, source))?;
            self.write("generation_config.json", &bytes)?;
        }
        self.write_manifest(manifest)
    }

    pub(super) fn write_manifest(&self, manifest: &Manifest) -> Result<(), TrainError> {
        self.write("manifest.json", &pretty_json(manifest))
    }

    /// `model.toml`: the recipe without its training, on the weights of `stage`.
    pub(super) fn write_model(
        &self,
        recipe: &Recipe,
        model: &Model,
        stage: &str,
    ) -> Result<(), TrainError> {
        let weights = |component| weights_name(stage, component);
        let trained = recipe.for_use(weights, tokenizer_name(recipe), model.generation());
        self.write("model.toml", trained.to_toml()?.as_bytes())
    }

    /// Writes the components after `stage`. One that no stage since `previous` trained is the same
    /// file, linked where the file system can.
    pub(super) fn save_stage(
        &self,
        stage: &StageRun<'_>,
        model: &Model,
        previous: Option<&str>,
    ) -> Result<Vec<FileHash>, TrainError> {
        let folder = self.path.join("weights").join(stage.name);
        fs::create_dir_all(&folder).map_err(|source| write_error(&folder, source))?;
        let mut hashes = Vec::new();
        for component in Component::ALL {
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

    pub(super) fn write_answers(
        &self,
        stage: &str,
        evaluation: &Evaluation,
    ) -> Result<(), TrainError> {
        let folder = self.path.join("answers");
        fs::create_dir_all(&folder).map_err(|source| write_error(&folder, source))?;
        let lines: Vec<u8> = evaluation.answers.iter().flat_map(json_line).collect();
        self.write(&format!("answers/{stage}.jsonl"), &lines)
    }

    pub(super) fn append_score(&self, score: &Score) -> Result<(), TrainError> {
        let path = self.path.join("scores.jsonl");
        let mut file = append(&path)?;
        file.write_all(&json_line(score))
            .map_err(|source| write_error(&path, source))
    }

    /// Opens `metrics.jsonl` to add lines.
    pub(super) fn metrics(&self) -> Result<MetricsLog, TrainError> {
        MetricsLog::open(&self.path.join("metrics.jsonl"))
    }

    /// Opens `skipped.jsonl` to add samples that a stage cannot learn from.
    pub(super) fn skipped(&self, stage: &str) -> Result<SkippedLog, TrainError> {
        SkippedLog::open(&self.path.join("skipped.jsonl"), stage)
    }

    /// All lines of `metrics.jsonl`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read_metrics(&self) -> Result<Vec<StepMetrics>, TrainError> {
        let path = self.path.join("metrics.jsonl");
        let text = fs::read_to_string(&path).map_err(|source| write_error(&path, source))?;
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }

    /// Writes a file whole or not at all.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        write_whole(&self.path.join(name), bytes)
    }
}

/// Lets a recipe start from the weights that the run in `folder` had after `stage`, if they are
/// there.
pub fn weights_after(recipe: &mut Recipe, folder: &Path, stage: &str) {
    for component in Component::ALL {
        let file = folder.join(weights_name(stage, component));
        if file.is_file() {
            let file = std::path::absolute(&file).unwrap_or(file);
            recipe.set_weights(component, file.display().to_string());
        }
    }
}

/// What the tokenizer is called in a run folder.
fn tokenizer_name(recipe: &Recipe) -> &'static str {
    let path = recipe.tokenizer_path().unwrap_or_default();
    Tokenizer::copied_name(&path)
}

fn weights_name(stage: &str, component: Component) -> String {
    format!("weights/{stage}/{component}.safetensors")
}
