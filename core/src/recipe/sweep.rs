//! Sweeps: a recipe, what is varied in it, and every combination as a recipe of its own.
//!
//! ```toml
//! base = "quickstart.toml"
//!
//! [axes]
//! projector = ["linear", "mlp"]
//! "vision.layer" = [-1, -2]
//! seed = [1, 2]
//! ```
//!
//! An axis is a component, a key of the recipe in dots, or a name of one's own whose alternatives are
//! tables of `[alternatives.NAME]`. Whatever is wrong comes back as a [`RecipeError`] with its place.

mod axis;
mod build;
mod combine;
mod file;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Recipe;
use super::error::RecipeError;
use super::load::LoadOptions;

pub(super) use file::THE_SWEEP;

/// A sweep, all its points resolved.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sweep {
    /// The name of the sweep, and of its folder. Default: the file's, without its ending.
    pub name: String,
    /// One line on what it is about.
    pub description: Option<String>,
    /// What `base` says.
    pub base_name: String,
    /// The base, with what `[recipe]` states for all points.
    pub base: Recipe,
    /// What is varied, in the order in which names of points state it.
    pub axes: Vec<Axis>,
    /// All points, the last axis changing fastest.
    pub points: Vec<SweepPoint>,
    /// What it may cost.
    pub budget: Budget,
}

/// What is varied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Axis {
    /// A component, a dotted key, or a name of `[alternatives]`.
    pub name: String,
    /// How names of points state a key: as much of its end as tells it from other axes. `None` where
    /// the alternative says enough.
    pub short: Option<String>,
    /// Its alternatives, as they are named in reports.
    pub alternatives: Vec<String>,
}

/// One recipe of a sweep.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SweepPoint {
    /// Its name, which a folder can have: `pretrained,mlp,layer=-2,seed=1`.
    pub name: String,
    /// The alternative chosen of each axis of the sweep; `None` where a listed point leaves the base
    /// as it is.
    pub choices: Vec<Option<String>>,
    /// The recipe, named as the point.
    pub recipe: Recipe,
}

/// What a sweep may cost: `[budget]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Budget {
    /// The most runs. A sweep with more is an error.
    #[serde(default)]
    pub runs: Option<usize>,
    /// The most hours of wall-clock time. Once they are over no further run begins.
    #[serde(default)]
    pub hours: Option<f64>,
}

impl Sweep {
    /// Reads a sweep file, its base, and makes all points.
    ///
    /// # Errors
    /// A file that cannot be read, or what is wrong in it, with its place and, if it shows only once a
    /// point is made, with the point's name.
    pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<Self, RecipeError> {
        build::sweep(&file::read(path)?, path, options)
    }
}
