//! What can be wrong with a recipe. Every message begins with the place.

use std::path::PathBuf;

use thiserror::Error;

use super::freeze::FreezeError;
use super::optimizer::GroupError;
use super::origin::Origin;
use super::sweep::THE_SWEEP;
use crate::error::{BuildError, nearest};
use crate::folder::FolderError;
use crate::plugin::BenchmarkError;

/// A recipe that cannot be read, or that does not describe a model and its training.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// A file that cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },

    /// Neither a file nor an embedded recipe.
    #[error("there is no file `{name}` and no embedded recipe of that name; embedded are: {}{}", list(.allowed), nearest(.name, .allowed))]
    NotFound {
        /// What was asked for.
        name: String,
        /// The embedded recipes.
        allowed: Vec<String>,
    },

    /// Two crates embed a recipe under one name.
    #[error("two embedded recipes are called `{name}`; link only one of them, or rename one")]
    DuplicateEmbedded {
        /// The name.
        name: String,
    },

    /// Not TOML.
    #[error("{origin}: {message}")]
    Syntax {
        /// The place.
        origin: Origin,
        /// What is wrong.
        message: String,
    },

    /// A `--set` that is not `key = value`.
    #[error("--set '{expression}': {message}; write it as `--set 'stage.align.epochs = 2'`")]
    Set {
        /// The argument.
        expression: String,
        /// What is wrong.
        message: String,
    },

    /// `extends` names nothing.
    #[error("{origin}: `extends`: there is no file {} and no embedded recipe `{name}`; embedded are: {}{}", .path.display(), list(.allowed), nearest(.name, .allowed))]
    UnknownBase {
        /// The place of `extends`.
        origin: Origin,
        /// What it says.
        name: String,
        /// The file looked for.
        path: PathBuf,
        /// The embedded recipes.
        allowed: Vec<String>,
    },

    /// A recipe that extends itself.
    #[error("{origin}: `extends` comes back to where it began: {}", .chain.join(" -> "))]
    Cycle {
        /// The place of the `extends` that closes the circle.
        origin: Origin,
        /// The recipes, each extending the next.
        chain: Vec<String>,
    },

    /// Too many recipes that extend one another.
    #[error("{origin}: `extends` goes deeper than {limit} recipes: {}", .chain.join(" -> "))]
    TooDeep {
        /// The place of the `extends` that is one too many.
        origin: Origin,
        /// The recipes, each extending the next.
        chain: Vec<String>,
        /// The most that are followed.
        limit: usize,
    },

    /// A key that no table has.
    #[error("{origin}: {} has no key `{key}`; its keys are: {}{}", place(.table), list(.allowed), nearest(.key, .allowed))]
    UnknownKey {
        /// The place of the key.
        origin: Origin,
        /// The path of the table, empty for the recipe itself.
        table: String,
        /// The key.
        key: String,
        /// The keys there are.
        allowed: Vec<String>,
    },

    /// A key that must be stated and is not.
    #[error("{origin}: {} must state `{key}`", place(.table))]
    MissingKey {
        /// The place of the table.
        origin: Origin,
        /// The path of the table, empty for the recipe itself.
        table: String,
        /// The key.
        key: String,
    },

    /// A word that is none of the allowed ones.
    #[error("{origin}: `{key}` is `{value}`; it must be one of: {}{}", .allowed.join(", "), nearest(.value, .allowed))]
    UnknownValue {
        /// The place of the key.
        origin: Origin,
        /// The path of the key.
        key: String,
        /// The word.
        value: String,
        /// The words there are.
        allowed: Vec<String>,
    },

    /// A value of the wrong kind or out of range.
    #[error("{origin}: `{key}`: {message}")]
    Invalid {
        /// The place of the key.
        origin: Origin,
        /// The path of the key.
        key: String,
        /// What is wrong and what is allowed.
        message: String,
    },

    /// `stages` lists a stage that has no table.
    #[error("{origin}: `stages` lists `{name}`, which has no table [stage.{name}]; there are: {}{}", list(.allowed), nearest(.name, .allowed))]
    UnknownStage {
        /// The place in the list.
        origin: Origin,
        /// The name listed.
        name: String,
        /// The stages that have a table.
        allowed: Vec<String>,
    },

    /// A stage asked for that the recipe does not list.
    #[error("the recipe lists no stage `{name}`; its stages are: {}{}", list(.allowed), nearest(.name, .allowed))]
    NoSuchStage {
        /// The name asked for.
        name: String,
        /// The stages it lists.
        allowed: Vec<String>,
    },

    /// A `freeze` target that is no part of the model, or a stage that leaves nothing to learn.
    #[error("{origin}: `freeze` of stage `{stage}`: {error}")]
    Freeze {
        /// The place of the target, or of the list.
        origin: Origin,
        /// The stage.
        stage: String,
        /// What is wrong and what is allowed.
        error: FreezeError,
    },

    /// A group of a stage's optimizer that is no part of the model, does not learn, or overlaps
    /// another.
    #[error("{origin}: `optimizer.groups` of stage `{stage}`: {error}")]
    Groups {
        /// The place of the target.
        origin: Origin,
        /// The stage.
        stage: String,
        /// What is wrong and what is allowed.
        error: GroupError,
    },

    /// A model's folder that stands for a recipe cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),

    /// The folder of a whole model cannot be used.
    #[error("{origin}: `model`: {error}")]
    Model {
        /// The place of `model`.
        origin: Origin,
        /// Why.
        error: FolderError,
    },

    /// A plugin, preset or option that does not exist, or sizes that do not fit.
    #[error("{origin}: {error}")]
    Build {
        /// The place of the key that is at fault.
        origin: Origin,
        /// What is wrong.
        error: BuildError,
    },

    /// A benchmark that does not exist, or does not take its options.
    #[error("{origin}: {error}")]
    Benchmark {
        /// The place of `eval.benchmark` or `eval.options`.
        origin: Origin,
        /// What is wrong and what is allowed.
        error: BenchmarkError,
    },

    /// The weights' `config.json` cannot be used.
    #[error("{origin}: {}: {message}", .path.display())]
    WeightsConfig {
        /// The place of `weights`.
        origin: Origin,
        /// The `config.json`.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },

    /// The weights or their `config.json` cannot be read.
    #[error("{origin}: cannot read {}", .path.display())]
    WeightsRead {
        /// The place of `weights`.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },

    /// The recipe and the weights disagree.
    #[error("{origin}: `{key}` is {stated}, but {} says {found}; correct the recipe or choose other weights", .path.display())]
    Contradiction {
        /// The place in the recipe.
        origin: Origin,
        /// The path of the option.
        key: String,
        /// The recipe's value, and the preset if that states it.
        stated: String,
        /// The weights' value.
        found: String,
        /// The `config.json`.
        path: PathBuf,
    },

    /// A point of a sweep whose recipe is wrong.
    #[error("{error} (in the point `{point}`)")]
    Point {
        /// The point.
        point: String,
        /// What is wrong with it.
        error: Box<RecipeError>,
    },

    /// Two points of a sweep that say the same.
    #[error(
        "{origin}: the points `{a}` and `{b}` are the same recipe; leave one of them out, or let their alternatives differ"
    )]
    SamePoints {
        /// The base.
        origin: Origin,
        /// The one.
        a: String,
        /// The other.
        b: String,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn place(table: &str) -> String {
    match table {
        "" => "the recipe".to_owned(),
        THE_SWEEP => THE_SWEEP.to_owned(),
        _ => format!("[{table}]"),
    }
}
