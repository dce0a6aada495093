//! Two runs beside each other in a terminal.

use super::detail::{self, COLUMNS, row};
use super::spark::{range, spark};
use super::table::{Side, Table};
use crate::html::{percent, short};
use crate::runs::{Changes, Comparison, StageLosses};

/// Characters of a curve.
const WIDTH: usize = 40;
/// Digits of a hash that tell files apart.
const DIGITS: usize = 12;
/// What stands for nothing.
const NONE: &str = "–";

pub(super) fn text(comparison: &Comparison) -> String {
    let parts = [
        summaries(comparison),
        recipe(comparison),
        files(comparison),
        curves(comparison),
        losses(comparison),
        scores(comparison),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

fn summaries(comparison: &Comparison) -> String {
    let (first, last) = ([("", Side::Left)], [("tokens", Side::Right)]);
    let mut table = Table::new(&[&first[..], &COLUMNS, &last].concat());
    for (name, run) in [("A", &comparison.a), ("B", &comparison.b)] {
        let (first, last) = ([name.to_owned()], [short(run.tokens as f64)]);
        table.row([&first[..], &row(run), &last].concat());
    }
    table.text()
}

fn recipe(comparison: &Comparison) -> String {
    let Some(differences) = &comparison.recipe else {
        return "a recipe is missing or is no TOML\n".to_owned();
    };
    if differences.is_empty() {
        return "the recipes are the same\n".to_owned();
    }
    let mut table = Table::new(&[
        ("recipe key", Side::Left),
        ("A", Side::Left),
        ("B", Side::Left),
    ]);
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| NONE.to_owned());
    for difference in differences {
        table.row([
            difference.key.clone(),
            value(&difference.a),
            value(&difference.b),
        ]);
    }
    table.text()
}

fn files(comparison: &Comparison) -> String {
    if comparison.files.is_empty() {
        return "the data and the initial weights are the same\n".to_owned();
    }
    let mut table = Table::new(&[
        ("file of", Side::Left),
        ("A", Side::Left),
        ("B", Side::Left),
        ("path", Side::Left),
    ]);
    let hash = |hash: &Option<String>| {
        hash.as_ref()
            .map_or(NONE.to_owned(), |hash| hash.chars().take(DIGITS).collect())
    };
    for file in &comparison.files {
        table.row([
            file.what.clone(),
            hash(&file.a),
            hash(&file.b),
            file.path.clone(),
        ]);
    }
    table.text()
}

/// The loss of each stage, on one scale for both runs.
fn curves(comparison: &Comparison) -> String {
    let (a, b) = comparison.stage_losses();
    let mut stages: Vec<&str> = a
        .iter()
        .chain(&b)
        .map(|stage| stage.stage.as_str())
        .collect();
    let mut seen = std::collections::HashSet::new();
    stages.retain(|stage| seen.insert(*stage));
    let curve = |losses: &[StageLosses], stage: &str| {
        let found = losses.iter().find(|losses| losses.stage == stage);
        found
            .map(|losses| losses.smooth.clone())
            .unwrap_or_default()
    };
    let mut text = String::new();
    for stage in stages {
        let (a, b) = (curve(&a, stage), curve(&b, stage));
        let range = range(a.iter().chain(&b));
        if !a.is_empty() || !b.is_empty() {
            text.push_str(&format!("loss in {stage}\n"));
        }
        let longest = a.len().max(b.len()).max(1);
        for (name, curve) in [("A", &a), ("B", &b)] {
            if !curve.is_empty() {
                // One step has the same place in both.
                let width = (curve.len() * WIDTH).div_ceil(longest);
                text.push_str(&format!("{name}  {}\n", spark(curve, width, range)));
            }
        }
    }
    text
}

fn losses(comparison: &Comparison) -> String {
    if comparison.losses.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        ("smoothed loss in", Side::Left),
        ("after step", Side::Right),
        ("A", Side::Right),
        ("B", Side::Right),
        ("B against A", Side::Right),
    ]);
    for pair in &comparison.losses {
        table.row([
            pair.stage.clone(),
            pair.step.map_or("last".to_owned(), |step| step.to_string()),
            detail::loss(Some(pair.a)),
            detail::loss(Some(pair.b)),
            format!("{:+.1} %", 100.0 * (pair.b - pair.a) / pair.a),
        ]);
    }
    table.text()
}

fn scores(comparison: &Comparison) -> String {
    if comparison.scores.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        ("score", Side::Left),
        ("A", Side::Right),
        ("B", Side::Right),
        ("B − A", Side::Right),
        ("fixed", Side::Right),
        ("broken", Side::Right),
        ("questions of both", Side::Right),
    ]);
    for pair in &comparison.scores {
        let [a, b] = [&pair.a, &pair.b].map(|score| score.as_ref().map(|score| score.score));
        let shown = |score: Option<f64>| score.map_or(NONE.to_owned(), percent);
        let count = |count: fn(&Changes) -> usize| {
            let changes = pair.answers.as_ref();
            changes.map_or(NONE.to_owned(), |changes| count(changes).to_string())
        };
        let gain = a.zip(b).map(|(a, b)| format!("{:+.1}", 100.0 * (b - a)));
        table.row([
            pair.place(),
            shown(a),
            shown(b),
            gain.unwrap_or_else(|| NONE.to_owned()),
            count(|changes| changes.fixed),
            count(|changes| changes.broken),
            count(|changes| changes.questions),
        ]);
    }
    table.text()
}
