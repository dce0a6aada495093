//! A run that begins where another one ended: the stages that both have in common are not trained
//! again.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use menagerie_core::Recipe;

use super::Opened;
use super::difference::differences;
use super::error::TrainError;
use super::files::{entries, link, read_error, write_error, write_whole};
use super::history::History;
use super::manifest::Manifest;
use super::observer::Observer;
use super::prefix::prefix;
use super::run::{RunFolder, before_stage};
use super::session::{Session, Start};
use crate::code::Code;

/// Files that a run goes on writing: they are copied. All others are linked.
const LOGS: [&str; 4] = [
    "metrics.jsonl",
    "timings.jsonl",
    "scores.jsonl",
    "skipped.jsonl",
];
/// Folders of files that are never written again.
const KEPT: [&str; 3] = ["weights", "answers", "tensorboard"];

/// Trains `recipe` into `run`, which must be new, from where the finished run in `from` ended: its
/// stages must be the first of `recipe`'s, and become this run's own, with their weights, logs,
/// answers and scores. What follows is what a run of `recipe` from its beginning computes, bit for bit.
///
/// # Errors
/// As [`train`](super::train()); and [`TrainError::Fork`] if the runs have not these stages in common.
pub fn fork(
    recipe: &Recipe,
    from: &Path,
    run: &RunFolder,
    device: &Device,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<(), TrainError> {
    recipe.check_dtype()?;
    let recipe = &recipe.resolve()?;
    let refuse = |reasons: Vec<String>| TrainError::Fork {
        from: from.to_owned(),
        reasons,
    };
    let before = Manifest::read(from)?.map_err(|reason| refuse(vec![reason]))?;
    let opened = Opened::new(recipe)?;
    let code = Code::here(device);
    let own = from.join("recipe.toml");
    let theirs = Recipe::load(&own)?;
    let reasons = reasons(recipe, &theirs, &before, &opened, &code)?;
    if !reasons.is_empty() {
        return Err(refuse(reasons));
    }
    let first = theirs.stages.len();
    take(from, run.path())?;
    run.copy_tokenizer(recipe)?;

    let model_recipe = before_stage(recipe, run.path(), opened.stages[first].name)?;
    let (adapters, model) = opened.assemble(&model_recipe, first, run, device)?;
    let scores = History::read(run.path())?.scores;
    let manifest = opened
        .manifest(recipe, &model, code, before.initial_weights().to_vec())?
        .forked(&before, from, scores);
    let base = manifest.base(theirs.stages.last().map(String::as_str));
    observer.note(&format!(
        "going on from `{}` after stage `{}`",
        from.display(),
        theirs.stages[first - 1]
    ));
    run.begin(recipe, &manifest)?;
    let parts = (opened.stages, opened.questions, adapters);
    let start = Start::Stage(first);
    let session = Session::new(recipe, run, parts, manifest, start, observer, stop)?;
    session.run(model, base)
}

/// Why the run of `theirs` is no beginning of `recipe`'s, in words.
fn reasons(
    recipe: &Recipe,
    theirs: &Recipe,
    before: &Manifest,
    opened: &Opened<'_>,
    code: &Code,
) -> Result<Vec<String>, TrainError> {
    let count = theirs.stages.len();
    if !before.finished() {
        return Ok(vec!["it is not finished; train it to its end".to_owned()]);
    }
    if count == 0 || count >= recipe.stages.len() || recipe.stages[..count] != theirs.stages {
        return Ok(vec![format!(
            "its stages are {}, and must be the first of the recipe's, which are {}",
            theirs.stages.join(", "),
            recipe.stages.join(", ")
        )]);
    }
    let (a, b) = (prefix(theirs, count)?, prefix(recipe, count)?);
    let differing = differences(&a, &b).into_iter();
    let mut reasons: Vec<String> = differing.map(|difference| difference.to_string()).collect();
    let files = opened.stages[..count].iter();
    let files = files.flat_map(|stage| stage.data.files());
    reasons.extend(
        files
            .filter(|file| !before.has_data(&file.sha256))
            .map(|file| {
                format!(
                    "it did not learn from `{}` as it is now",
                    file.path.display()
                )
            }),
    );
    reasons.extend(before.code.changes(code));
    Ok(reasons)
}

/// Puts what the run in `from` left into the folder `to`.
fn take(from: &Path, to: &Path) -> Result<(), TrainError> {
    for name in LOGS {
        let path = from.join(name);
        if path.is_file() {
            let bytes = fs::read(&path).map_err(|source| read_error(&path, source))?;
            write_whole(&to.join(name), &bytes)?;
        }
    }
    for name in KEPT {
        link_all(&from.join(name), &to.join(name))?;
    }
    Ok(())
}

fn link_all(from: &Path, to: &Path) -> Result<(), TrainError> {
    for entry in entries(from)? {
        fs::create_dir_all(to).map_err(|source| write_error(to, source))?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            link_all(&path, &to)?;
        } else {
            link(&path, &to)?;
        }
    }
    Ok(())
}
