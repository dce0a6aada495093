//! Where a run stands, and whether it can go on exactly.

use std::collections::BTreeMap;
use std::path::Path;

use menagerie_core::Recipe;
use toml::Table;

use super::checkpoint::{Checkpoints, Logs, Refusal, Saved};
use super::difference::differences;
use super::error::TrainError;
use super::observer::Observer;
use super::run::RunFolder;
use super::stage::StageRun;
use crate::code::Code;
use crate::data::Dataset;

/// The newest checkpoint that can be used.
pub(super) fn find(
    run: &RunFolder,
    recipe: &Recipe,
    observer: &mut dyn Observer,
) -> Result<Option<Saved>, TrainError> {
    let checkpoints = Checkpoints::new(run.path(), &recipe.stages);
    let usable = |saved: &Saved| match saved.changed_base(run.path(), Path::is_relative) {
        Some(file) => {
            let reason = format!("`{}` has changed since", file.path().display());
            Err(Refusal::Damaged(reason))
        }
        None => Ok(()),
    };
    checkpoints.newest(usable, |path, reason| {
        let path = path.display();
        observer.note(&format!(
            "`{path}` cannot be used, and the checkpoint before it is taken: {reason}"
        ));
    })
}

/// Lets the logs lose what they say of steps after a checkpoint.
pub(super) fn cut_logs(
    run: &RunFolder,
    saved: Option<&Saved>,
    observer: &mut dyn Observer,
) -> Result<(), TrainError> {
    let lengths = saved.map(|saved| saved.standing.logs.clone());
    for name in Logs(run.path()).cut(&lengths.unwrap_or_default())? {
        observer.note(&format!(
            "{name} is shorter than it was; its last lines before this are lost"
        ));
    }
    Ok(())
}

/// What is not as it was when the checkpoint was taken, in words; differences that change no number
/// apart.
pub(super) fn changes(
    saved: &Saved,
    recipe_text: &str,
    data: &[Source<'_>],
    code: &Code,
    run: &RunFolder,
) -> Vec<String> {
    let standing = &saved.standing;
    let table = |text: &str| text.parse::<Table>().unwrap_or_default();
    let recipe = differences(&table(&saved.recipe), &table(recipe_text));
    let recipe = recipe.into_iter().filter(|change| !change.is_harmless());
    let mut changes: Vec<String> = recipe.map(|change| change.to_string()).collect();
    for (name, data) in data {
        if let Some(before) = standing.data.get(name) {
            changes.extend(data_change(name, before, data));
        }
    }
    if let Some(file) = saved.changed_base(run.path(), Path::is_absolute) {
        let path = file.path().display();
        changes.push(format!("the weights `{path}` are not what they were"));
    }
    changes.extend(standing.code.changes(code));
    changes
}

fn data_change(name: &str, before: &[String], data: &Dataset) -> Option<String> {
    let now = data.files();
    let what = format!("the data of `{name}` is not what it was");
    if before.len() != now.len() {
        let (before, now) = (before.len(), now.len());
        return Some(format!(
            "{what}: {before} files were read, and {now} are there"
        ));
    }
    let mut pairs = before.iter().zip(now);
    let (_, file) = pairs.find(|(before, now)| **before != now.sha256)?;
    Some(format!(
        "{what}: `{}` was written anew",
        file.path.display()
    ))
}

/// A table of the recipe, by its dotted name, and its data.
pub(super) type Source<'a> = (String, &'a Dataset);

/// All data of a run.
pub(super) fn sources<'a>(
    stages: &'a [StageRun<'_>],
    questions: Option<&'a Dataset>,
) -> Vec<Source<'a>> {
    let stages = stages
        .iter()
        .map(|stage| (format!("stage.{}", stage.name), &*stage.data));
    let questions = questions.map(|questions| ("eval".to_owned(), questions));
    stages.chain(questions).collect()
}

/// Hashes of the files of each source, in their order.
pub(super) fn data_hashes(sources: &[Source<'_>]) -> BTreeMap<String, Vec<String>> {
    let hashes = sources.iter().map(|(name, data)| {
        let hashes = data.files().iter().map(|file| file.sha256.clone());
        (name.clone(), hashes.collect())
    });
    hashes.collect()
}
