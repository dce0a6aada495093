//! A line a run, with exact numbers (RFC 4180).

use super::Report;
use crate::report::csv_line;
use crate::sweep::results::{Outcome, PointResult};

pub(super) fn text(report: &Report<'_>) -> String {
    let results = report.results;
    let axes = results.axes.iter().map(|axis| format!("axis:{axis}"));
    let head: Vec<String> = ["run", "outcome"]
        .map(str::to_owned)
        .into_iter()
        .chain(axes)
        .chain(COLUMNS.map(|(name, _)| name.to_owned()))
        .chain(["error".to_owned()])
        .collect();
    let rows = results.points.iter().map(row);
    let lines = std::iter::once(head).chain(rows);
    lines.map(|cells| csv_line(&cells)).collect()
}

type Value = fn(&PointResult) -> Option<String>;

const COLUMNS: [(&str, Value); 10] = [
    ("seed", |point| Some(point.seed.to_string())),
    ("score", |point| {
        Some(point.score.as_ref()?.score.to_string())
    }),
    ("blind", |point| {
        Some(point.score.as_ref()?.blind?.to_string())
    }),
    ("questions", |point| {
        Some(point.score.as_ref()?.questions.to_string())
    }),
    ("steps", |point| {
        Some(point.summary.as_ref()?.steps.to_string())
    }),
    ("samples", |point| {
        let stages = point.summary.as_ref()?.stages.iter();
        Some(stages.map(|stage| stage.samples).sum::<usize>().to_string())
    }),
    ("tokens", |point| {
        Some(point.summary.as_ref()?.tokens.to_string())
    }),
    ("seconds", |point| {
        Some(point.summary.as_ref()?.seconds.to_string())
    }),
    ("parameters", |point| {
        Some(point.summary.as_ref()?.parameters?.to_string())
    }),
    ("trained_parameters", |point| {
        Some(point.summary.as_ref()?.trained_parameters?.to_string())
    }),
];

fn row(point: &PointResult) -> Vec<String> {
    let (outcome, error) = match &point.outcome {
        Outcome::Finished => ("finished", ""),
        Outcome::Failed(reason) => ("failed", reason.as_str()),
        Outcome::Unfinished => ("unfinished", ""),
    };
    let choices = point
        .choices
        .iter()
        .map(|choice| choice.clone().unwrap_or_default());
    [point.name.clone(), outcome.to_owned()]
        .into_iter()
        .chain(choices)
        .chain(COLUMNS.map(|(_, value)| value(point).unwrap_or_default()))
        .chain([error.to_owned()])
        .collect()
}
