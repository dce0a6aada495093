//! `manifest.json`: what a run was made of.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use menagerie_core::parameters::ParameterInfo;
use menagerie_core::{Model, Recipe};
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::files::{FileHash, read_text};
use super::metrics::Score;
use super::stage::StageRun;
use super::timeline::Timeline;
use crate::code::Code;
use crate::data::{DataFile, Dataset};

/// What a run was made of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    name: String,
    #[serde(flatten)]
    pub code: Code,
    /// Threads that the CPU backend uses.
    threads: usize,
    started_unix_seconds: u64,
    seed: u64,
    recipe_sha256: String,
    data: Vec<DataFile>,
    initial_weights: Vec<InitialWeights>,
    stages: Vec<StageReport>,
    pub scores: Vec<Score>,
    parameters: Vec<ParameterReport>,
    /// What was not as before when the run went on with `--allow-changes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<String>,
    /// The run whose stages this one began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forked_from: Option<Forked>,
    /// Whether all stages are done.
    finished: bool,
}

/// Where a run took its first stages from.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Forked {
    /// The run folder.
    run: PathBuf,
    /// The stages.
    stages: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct InitialWeights {
    component: String,
    /// What was loaded; absent if the weights were drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loaded: Option<serde_json::Value>,
    files: Vec<FileHash>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StageReport {
    name: String,
    steps: usize,
    samples: usize,
    trainable_parameters: usize,
    /// Present once the stage is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    weights: Vec<FileHash>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ParameterReport {
    path: String,
    shape: Vec<usize>,
    /// The stages that train it.
    trained_in: Vec<String>,
}

impl InitialWeights {
    /// What each component of `model` loaded, with the hashes of its files.
    pub(super) fn of(model: &Model) -> Result<Vec<Self>, TrainError> {
        let all = model.loaded().iter().map(|(component, loaded)| {
            let sources = loaded.iter().flat_map(|report| &report.files);
            Ok(Self {
                component: component.name().to_owned(),
                loaded: loaded
                    .as_ref()
                    .map(|report| serde_json::to_value(report).expect("plain data serialises")),
                files: sources
                    .map(|file| FileHash::of(file))
                    .collect::<Result<_, TrainError>>()?,
            })
        });
        all.collect()
    }
}

impl Manifest {
    pub(super) fn new(
        recipe: &Recipe,
        model: &Model,
        parameters: &[ParameterInfo],
        stages: &[StageRun<'_>],
        scored: Option<&Dataset>,
        code: Code,
        initial_weights: Vec<InitialWeights>,
    ) -> Result<Self, TrainError> {
        let sources = stages.iter().map(|stage| &*stage.data).chain(scored);
        let mut data: Vec<DataFile> = sources.flat_map(|data| data.files().to_vec()).collect();
        data.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        data.dedup();
        let configured = model.configured();
        let reports = stages.iter().map(|stage| StageReport {
            name: stage.name.to_owned(),
            steps: stage.steps,
            samples: stage.data.len(),
            trainable_parameters: stage.trainable(configured, parameters),
            seconds: None,
            weights: Vec::new(),
        });
        let factors = recipe.factors(configured, parameters);
        let trained_in = |info: &ParameterInfo| {
            let learning = stages.iter().filter(|stage| stage.has(info));
            learning.map(|stage| stage.name.to_owned()).collect()
        };
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            name: recipe.name.clone(),
            code,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            started_unix_seconds: since_epoch.as_secs(),
            seed: recipe.seed,
            recipe_sha256: recipe.hash()?,
            data,
            initial_weights,
            stages: reports.collect(),
            scores: Vec::new(),
            parameters: parameters
                .iter()
                .chain(&factors)
                .map(|info| ParameterReport {
                    path: info.path.clone(),
                    shape: info.shape.clone(),
                    trained_in: trained_in(info),
                })
                .collect(),
            changes: Vec::new(),
            forked_from: None,
            finished: false,
        })
    }

    /// What the run began with.
    pub(super) fn initial_weights(&self) -> &[InitialWeights] {
        &self.initial_weights
    }

    /// That of a run which has begun; `Err` says what is wrong with it.
    pub(super) fn read(run: &Path) -> Result<Result<Self, String>, TrainError> {
        let path = run.join("manifest.json");
        let said = |what: &dyn std::fmt::Display| format!("`{}`: {what}", path.display());
        Ok(match read_text(&path)? {
            None => Err(said(&"it is not there")),
            Some(text) => serde_json::from_str(&text).map_err(|error| said(&error)),
        })
    }

    /// This one, made for what goes on, with what `before` says of how the run began and the `scores`
    /// that were taken until then.
    pub(super) fn going_on(self, before: Self, scores: Vec<Score>) -> Self {
        Self {
            started_unix_seconds: before.started_unix_seconds,
            stages: after(self.stages, &before.stages),
            changes: before.changes,
            forked_from: before.forked_from,
            scores,
            ..self
        }
    }

    /// This one, of a run that begins with the stages of the run in `from`.
    pub(super) fn forked(self, before: &Self, from: &Path, scores: Vec<Score>) -> Self {
        let names = before.stages.iter().map(|stage| stage.name.clone());
        let run = std::path::absolute(from).unwrap_or_else(|_| from.to_owned());
        Self {
            stages: after(self.stages, &before.stages),
            forked_from: Some(Forked {
                run,
                stages: names.collect(),
            }),
            scores,
            ..self
        }
    }

    /// Whether the run read a file of that SHA-256.
    pub(super) fn has_data(&self, sha256: &str) -> bool {
        self.data.iter().any(|file| file.sha256 == sha256)
    }

    /// What is not as it was when the run began, in words.
    pub(super) fn changes(&self, recipe: &Recipe, code: &Code) -> Result<Vec<String>, TrainError> {
        let mut changes = self.code.changes(code);
        if self.recipe_sha256 != recipe.hash()? {
            changes.insert(0, "the recipe is not what it was".to_owned());
        }
        Ok(changes)
    }

    /// Notes what was not as before.
    pub(super) fn add_changes(&mut self, changes: Vec<String>) {
        self.changes.extend(changes);
    }

    /// The files that the stage after `previous` begins with.
    pub(super) fn base(&self, previous: Option<&str>) -> Vec<FileHash> {
        match previous {
            None => {
                let initial = self.initial_weights.iter();
                initial.flat_map(|initial| initial.files.clone()).collect()
            }
            Some(previous) => {
                let mut stages = self.stages.iter();
                let stage = stages.find(|stage| stage.name == previous);
                stage.map(|stage| stage.weights.clone()).unwrap_or_default()
            }
        }
    }

    pub(super) fn finished(&self) -> bool {
        self.finished
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    pub(super) fn finish_stage(&mut self, name: &str, weights: Vec<FileHash>, seconds: f64) {
        if let Some(stage) = self.stages.iter_mut().find(|stage| stage.name == name) {
            stage.weights = weights;
            stage.seconds = Some(seconds);
        }
    }

    /// All numbers, and those that some stage trains.
    pub(super) fn parameter_counts(&self) -> (usize, usize) {
        let count = |report: &ParameterReport| report.shape.iter().product::<usize>();
        let all = self.parameters.iter().map(count).sum();
        let trained = self
            .parameters
            .iter()
            .filter(|report| !report.trained_in.is_empty());
        (all, trained.map(count).sum())
    }

    /// The stages with their steps.
    pub(super) fn timeline(&self) -> Timeline {
        let stages = self.stages.iter();
        Timeline::new(stages.map(|stage| (stage.name.as_str(), stage.steps)))
    }
}

/// `stages` with what is known of those that were done before.
fn after(mut stages: Vec<StageReport>, before: &[StageReport]) -> Vec<StageReport> {
    for stage in &mut stages {
        if let Some(earlier) = before.iter().find(|other| other.name == stage.name) {
            stage.seconds = earlier.seconds;
            stage.weights.clone_from(&earlier.weights);
        }
    }
    stages
}
