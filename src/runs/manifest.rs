//! `manifest.json` as far as it is needed here, of any version.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::train::Timeline;

/// What a run was made of.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct RunManifest {
    pub name: String,
    pub recipe_sha256: String,
    #[serde(default)]
    pub started_unix_seconds: Option<u64>,
    #[serde(default)]
    pub menagerie: Option<String>,
    #[serde(default)]
    pub device: Option<String>,
    #[serde(default)]
    pub threads: Option<usize>,
    #[serde(default)]
    pub data: Vec<ManifestFile>,
    #[serde(default)]
    pub initial_weights: Vec<InitialWeights>,
    pub stages: Vec<ManifestStage>,
    #[serde(default)]
    pub parameters: Vec<ManifestParameter>,
    /// Whether all stages are done.
    #[serde(default)]
    pub finished: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct InitialWeights {
    pub component: String,
    #[serde(default)]
    pub files: Vec<ManifestFile>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ManifestFile {
    pub path: String,
    pub sha256: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ManifestStage {
    pub name: String,
    pub steps: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ManifestParameter {
    pub shape: Vec<usize>,
    #[serde(default)]
    pub trained_in: Vec<String>,
}

impl RunManifest {
    /// All numbers, and those that some stage trains; `None` if it lists no parameter.
    pub(super) fn parameter_counts(&self) -> Option<(usize, usize)> {
        let count = |one: &ManifestParameter| one.shape.iter().product::<usize>();
        let trained = self
            .parameters
            .iter()
            .filter(|one| !one.trained_in.is_empty());
        let counts = (
            self.parameters.iter().map(count).sum(),
            trained.map(count).sum(),
        );
        (!self.parameters.is_empty()).then_some(counts)
    }

    /// The manifest in `folder`, if there is one that can be read.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let text = fs::read(folder.join("manifest.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) fn timeline(&self) -> Timeline {
        let stages = self.stages.iter();
        Timeline::new(stages.map(|stage| (stage.name.as_str(), stage.steps)))
    }
}
