//! The run folder.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use menagerie_core::plugin::Component;
use menagerie_core::tokens::Tokenizer;
use menagerie_core::{Model, Recipe};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::TrainError;
use super::manifest::{FileHash, Manifest};
use super::stage::StageRun;
use crate::eval::Evaluation;

/// A line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepMetrics {
    /// The stage's name.
    pub stage: String,
    /// Optimizer step within the stage, from 0.
    pub step: usize,
    /// Mean over the supervised tokens of the batch, before the update.
    pub loss: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Learning rate of this step.
    pub lr: f64,
    /// Tokens that the loss is the mean of.
    pub supervised_tokens: usize,
    /// Samples a second, in this step.
    pub samples_per_second: f64,
}

/// A line of `scores.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Score {
    /// The stage after which it was taken.
    pub stage: String,
    /// Questions.
    pub questions: usize,
    /// Share of exact answers, 0-1.
    pub score: f64,
    /// The same with every image replaced by grey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blind: Option<f64>,
    /// Wall-clock time of both.
    pub seconds: f64,
}

impl Score {
    pub(super) fn new(stage: &str, evaluation: &Evaluation) -> Self {
        Self {
            stage: stage.to_owned(),
            questions: evaluation.answers.len(),
            score: evaluation.score(),
            blind: evaluation.blind_score(),
            seconds: evaluation.seconds,
        }
    }
}

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
        let files = recipe.tokenizer_path().map(|path| Tokenizer::files(&path));
        for (number, file) in files.iter().flatten().enumerate() {
            let name = file.file_name().and_then(|name| name.to_str());
            // The first is the tokenizer itself, which may have another name where it comes from.
            let name = name.filter(|_| number > 0).unwrap_or("tokenizer.json");
            let bytes = fs::read(file).map_err(|source| write_error(file, source))?;
            self.write(name, &bytes)?;
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
        let trained = recipe.for_use(weights, "tokenizer.json", model.generation());
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
            hashes.push(FileHash::of(&file)?);
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
        let path = self.path.join("metrics.jsonl");
        Ok(MetricsLog {
            file: append(&path)?,
            path,
        })
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
        let path = self.path.join(name);
        let write = || -> std::io::Result<()> {
            let folder = path.parent().unwrap_or(Path::new("."));
            let mut file = beside(folder)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|source| write_error(&path, source))
    }
}

/// A temporary file with a new file's ordinary permissions.
fn beside(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// `metrics.jsonl`, a line at a time.
pub(super) struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    pub(super) fn push(&mut self, metrics: &StepMetrics) -> Result<(), TrainError> {
        let line = json_line(metrics);
        self.file
            .write_all(&line)
            .map_err(|source| write_error(&self.path, source))
    }
}

fn weights_name(stage: &str, component: Component) -> String {
    format!("weights/{stage}/{component}.safetensors")
}

fn link(from: &Path, to: &Path) -> Result<(), TrainError> {
    fs::hard_link(from, to)
        .or_else(|_| fs::copy(from, to).map(drop))
        .map_err(|source| write_error(to, source))
}

fn append(path: &Path) -> Result<File, TrainError> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|source| write_error(path, source))
}

fn json_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("plain data serialises");
    line.push(b'\n');
    line
}

fn pretty_json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data serialises");
    text.push(b'\n');
    text
}

pub(super) fn write_error(path: &Path, source: std::io::Error) -> TrainError {
    TrainError::Write {
        path: path.to_owned(),
        source,
    }
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> Result<String, TrainError> {
    let read_error = |source| write_error(path, source);
    let mut file = File::open(path).map_err(read_error)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(read_error)? {
            0 => break,
            len => hasher.update(&buffer[..len]),
        }
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
