//! A run in a few numbers.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::RunsError;
use super::manifest::RunManifest;
use crate::train::{History, RunFolder, Score, StageTotals, Timeline};

/// How far a run came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
#[non_exhaustive]
pub enum RunState {
    /// All stages are done.
    Finished,
    /// A process trains it now.
    Running {
        /// The stage of the last step.
        stage: String,
        /// Steps of it that are done.
        step: usize,
    },
    /// Stopped on the way, or killed.
    Stopped {
        /// The stage of the last step.
        stage: String,
        /// Steps of it that are done.
        step: usize,
    },
    /// No step was done yet.
    New,
}

/// A run in a few numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// The run folder.
    pub path: PathBuf,
    /// The recipe's name, or the folder's if nothing says it.
    pub name: String,
    /// How far it came.
    #[serde(flatten)]
    pub state: RunState,
    /// When it began, in seconds since 1970.
    pub started: Option<u64>,
    /// Optimizer steps that are done.
    pub steps: usize,
    /// Optimizer steps of all stages; `None` if nothing says it.
    pub planned_steps: Option<usize>,
    /// The smoothed loss of the last step.
    pub loss: Option<f64>,
    /// The best score.
    pub best: Option<Score>,
    /// All scores, in the order in which they were taken.
    pub scores: Vec<Score>,
    /// Tokens seen, visual ones too.
    pub tokens: usize,
    /// Wall-clock time of all steps.
    pub seconds: f64,
    /// The part of it in which a step waited for its batch.
    pub wait_seconds: f64,
    /// Numbers of the model.
    pub parameters: Option<usize>,
    /// Those of them that some stage trains.
    pub trained_parameters: Option<usize>,
    /// What the folder takes on the disk, in bytes; a file with several links counts once.
    pub bytes: u64,
    /// The version of this program that wrote it.
    pub menagerie: Option<String>,
    /// The device that it ran on.
    pub device: Option<String>,
    /// Threads of that machine.
    pub threads: Option<usize>,
    /// SHA-256 of the resolved recipe.
    pub recipe_sha256: Option<String>,
    /// The stages.
    pub stages: Vec<StageTotals>,
}

/// All that is read of a run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub summary: RunSummary,
    pub history: History,
    pub timeline: Timeline,
    pub manifest: Option<RunManifest>,
}

impl RunSummary {
    /// Reads the run folder `path`.
    ///
    /// # Errors
    /// It is no run, or a file in it cannot be read.
    pub fn read(path: &Path) -> Result<Self, RunsError> {
        Ok(Run::read(path)?.summary)
    }
}

impl Run {
    pub(super) fn read(path: &Path) -> Result<Self, RunsError> {
        fs::read_dir(path).map_err(|source| RunsError::Read {
            path: path.to_owned(),
            source,
        })?;
        if !super::is_run(path) {
            return Err(RunsError::NoRun(path.to_owned()));
        }
        let history = History::read(path)?;
        let manifest = RunManifest::read(path);
        let timeline = match &manifest {
            Some(manifest) => manifest.timeline(),
            None => Timeline::default(),
        };
        let stages = StageTotals::of(&timeline, &history);
        let counts = manifest.as_ref().and_then(RunManifest::parameter_counts);
        let summary = RunSummary {
            parameters: counts.map(|(all, _)| all),
            trained_parameters: counts.map(|(_, trained)| trained),
            path: path.to_owned(),
            name: name(path, manifest.as_ref()),
            state: state(path, manifest.as_ref(), &history),
            started: manifest
                .as_ref()
                .and_then(|manifest| manifest.started_unix_seconds),
            steps: stages.iter().map(|stage| stage.steps).sum(),
            planned_steps: manifest
                .is_some()
                .then(|| stages.iter().map(|stage| stage.planned_steps).sum()),
            loss: stages.iter().rev().find_map(|stage| stage.loss),
            best: history.best().cloned(),
            scores: history.scores.clone(),
            tokens: stages.iter().map(|stage| stage.tokens).sum(),
            seconds: sum(&stages, |stage| stage.seconds),
            wait_seconds: sum(&stages, |stage| stage.wait_seconds),
            bytes: size(path, &mut HashSet::new()),
            menagerie: manifest
                .as_ref()
                .and_then(|manifest| manifest.menagerie.clone()),
            device: manifest
                .as_ref()
                .and_then(|manifest| manifest.device.clone()),
            threads: manifest.as_ref().and_then(|manifest| manifest.threads),
            recipe_sha256: manifest
                .as_ref()
                .map(|manifest| manifest.recipe_sha256.clone()),
            stages,
        };
        Ok(Self {
            summary,
            history,
            timeline,
            manifest,
        })
    }
}

/// From a plus zero on: the sum of none is a negative one.
fn sum(stages: &[StageTotals], of: fn(&StageTotals) -> f64) -> f64 {
    stages.iter().map(of).fold(0.0, |sum, value| sum + value)
}

fn name(path: &Path, manifest: Option<&RunManifest>) -> String {
    let recipe = || {
        let table = super::recipe::read(path)?;
        Some(table.get("name")?.as_str()?.to_owned())
    };
    let folder = || {
        let name = path.file_name().unwrap_or(path.as_os_str());
        name.to_string_lossy().into_owned()
    };
    let stated = manifest.map(|manifest| manifest.name.clone());
    stated.or_else(recipe).unwrap_or_else(folder)
}

fn state(path: &Path, manifest: Option<&RunManifest>, history: &History) -> RunState {
    if manifest.is_some_and(|manifest| manifest.finished) {
        return RunState::Finished;
    }
    let Some(last) = history.metrics.last() else {
        return RunState::New;
    };
    let (stage, step) = (last.stage.clone(), last.step + 1);
    if RunFolder::is_held(path) {
        RunState::Running { stage, step }
    } else {
        RunState::Stopped { stage, step }
    }
}

/// Bytes of all files below `folder`; what cannot be read counts nothing.
fn size(folder: &Path, seen: &mut HashSet<(u64, u64)>) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path(), seen),
            Ok(metadata) if metadata.is_file() && is_new(&metadata, seen) => metadata.len(),
            _ => 0,
        })
        .sum()
}

/// A component that a stage did not train is the same file under another name.
#[cfg(unix)]
fn is_new(metadata: &Metadata, seen: &mut HashSet<(u64, u64)>) -> bool {
    use std::os::unix::fs::MetadataExt;
    seen.insert((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn is_new(_metadata: &Metadata, _seen: &mut HashSet<(u64, u64)>) -> bool {
    true
}
