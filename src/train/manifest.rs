//! `manifest.json`: what a run was made of.

use std::time::{SystemTime, UNIX_EPOCH};

use menagerie_core::component::Component;
use menagerie_core::parameters::ParameterInfo;
use menagerie_core::{Model, Recipe};
use serde::Serialize;

use super::error::TrainError;
use super::files::FileHash;
use super::metrics::Score;
use super::stage::StageRun;
use crate::data::{DataFile, Dataset};

/// What a run was made of.
#[derive(Debug, Serialize)]
pub(super) struct Manifest {
    name: String,
    /// Version of this crate.
    menagerie: &'static str,
    /// Version of Burn that it is pinned to.
    burn: &'static str,
    device: String,
    /// Threads that the CPU backend uses; sums may differ in the last bit with another number.
    threads: usize,
    started_unix_seconds: u64,
    seed: u64,
    recipe_sha256: String,
    data: Vec<DataFile>,
    initial_weights: Vec<InitialWeights>,
    stages: Vec<StageReport>,
    pub scores: Vec<Score>,
    parameters: Vec<ParameterReport>,
}

#[derive(Debug, Serialize)]
struct InitialWeights {
    component: Component,
    /// What was loaded; absent if the weights were drawn from the seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded: Option<menagerie_core::weights::LoadReport>,
    files: Vec<FileHash>,
}

#[derive(Debug, Serialize)]
struct StageReport {
    name: String,
    steps: usize,
    samples: usize,
    trainable_parameters: usize,
    /// Present once the stage is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    weights: Vec<FileHash>,
}

#[derive(Debug, Serialize)]
struct ParameterReport {
    path: String,
    shape: Vec<usize>,
    /// The stages that train it.
    trained_in: Vec<String>,
}

impl Manifest {
    pub(super) fn new(
        recipe: &Recipe,
        model: &Model,
        parameters: &[ParameterInfo],
        stages: &[StageRun<'_>],
        scored: Option<&Dataset>,
    ) -> Result<Self, TrainError> {
        let sources = stages.iter().map(|stage| &*stage.data).chain(scored);
        let mut data: Vec<DataFile> = sources.flat_map(|data| data.files().to_vec()).collect();
        data.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        data.dedup();
        let initial = model.loaded().iter().map(|(component, loaded)| {
            let sources = loaded.iter().flat_map(|report| &report.files);
            Ok(InitialWeights {
                component: *component,
                loaded: loaded.clone(),
                files: sources
                    .map(|file| FileHash::of(file))
                    .collect::<Result<_, TrainError>>()?,
            })
        });
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
            menagerie: env!("CARGO_PKG_VERSION"),
            burn: "0.22.1",
            device: format!("{:?}", model.device()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            started_unix_seconds: since_epoch.as_secs(),
            seed: recipe.seed,
            recipe_sha256: recipe.hash()?,
            data,
            initial_weights: initial.collect::<Result<_, TrainError>>()?,
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
        })
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

    /// Time of the stages done, training alone.
    pub(super) fn training_seconds(&self) -> f64 {
        self.stages.iter().filter_map(|stage| stage.seconds).sum()
    }
}
