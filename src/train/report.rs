//! `report.html`: a run on one page, without anything from outside it.

mod answers;
mod figures;
mod tables;

use std::path::Path;

use menagerie_core::Recipe;

use super::error::TrainError;
use super::history::History;
use super::manifest::Manifest;
use super::run::RunFolder;
use super::timeline::Timeline;
use super::totals::StageTotals;
use crate::data::Dataset;
use crate::html::{bytes, duration, escape, facts, page, percent, short, thousands};

/// Writes the report of what the run folder holds so far.
pub(super) fn write(
    run: &RunFolder,
    recipe: &Recipe,
    manifest: &Manifest,
    questions: Option<&Dataset>,
) -> Result<(), TrainError> {
    let made = Made {
        parameters: manifest.parameter_counts(),
        timeline: manifest.timeline(),
    };
    let text = html(run.path(), recipe, &made, questions)?;
    run.write("report.html", text.as_bytes())
}

/// What the manifest knows.
struct Made {
    /// All numbers of the model, and those that some stage trains.
    parameters: (usize, usize),
    timeline: Timeline,
}

fn html(
    run: &Path,
    recipe: &Recipe,
    made: &Made,
    questions: Option<&Dataset>,
) -> Result<String, TrainError> {
    let history = History::read(run)?;
    let timeline = &made.timeline;
    let totals = StageTotals::of(timeline, &history);
    let mut body = format!("<h1>{}</h1>\n", escape(&recipe.name));
    if let Some(description) = &recipe.description {
        body.push_str(&format!("<p class=\"lead\">{}</p>\n", escape(description)));
    }
    body.push_str(&facts(&numbers(recipe, made, &totals)));
    body.push_str(&tables::scores(&history, timeline));
    body.push_str(&figures::section(&history, timeline));
    body.push_str(&tables::stages(&totals));
    if let (Some(questions), Some(table)) = (questions, &recipe.eval) {
        let section = answers::section(run, &history, timeline, questions, table.samples)?;
        body.push_str(&section);
    }
    body.push_str(&format!(
        "<h2>Recipe</h2>\n<details><summary>The recipe, resolved</summary><pre>{}</pre></details>\n",
        escape(&recipe.to_toml()?)
    ));
    Ok(page(&recipe.name, &body))
}

/// The numbers above everything.
fn numbers(recipe: &Recipe, made: &Made, totals: &[StageTotals]) -> Vec<(&'static str, String)> {
    let (all, trainable) = made.parameters;
    let seconds: f64 = totals.iter().map(|stage| stage.seconds).sum();
    let waited: f64 = totals.iter().map(|stage| stage.wait_seconds).sum();
    let tokens: usize = totals.iter().map(|stage| stage.tokens).sum();
    let peak = totals.iter().filter_map(|stage| stage.peak_bytes).max();
    let mut numbers = vec![
        ("encoder", recipe.vision.r#type.clone()),
        ("projector", recipe.projector.r#type.clone()),
        ("decoder", recipe.llm.r#type.clone()),
        ("parameters", thousands(all)),
        ("trained", thousands(trainable)),
        (
            "steps",
            thousands(totals.iter().map(|stage| stage.steps).sum()),
        ),
        ("tokens", short(tokens as f64)),
        ("training", duration(seconds)),
    ];
    if seconds > 0.0 {
        numbers.push(("waiting for data", percent(waited / seconds)));
    }
    if let Some(peak) = peak {
        numbers.push(("most memory", bytes(peak)));
    }
    numbers.push(("seed", recipe.seed.to_string()));
    numbers
}

#[cfg(test)]
#[path = "report/tests.rs"]
mod tests;
