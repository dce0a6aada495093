//! The report's tables, as text in cells.

use super::Report;
use crate::html::{duration, percent, short, thousands};
use crate::report::{NONE, Table};
use crate::sweep::results::{Outcome, PointResult, Setting};
use crate::sweep::statistics::{Compared, Spread, Verdict};

/// A row a setting.
pub(super) fn scores(report: &Report<'_>) -> Table {
    let results = report.results;
    let rows = results
        .settings
        .iter()
        .enumerate()
        .map(|(number, setting)| {
            let is_base = number == results.base;
            let or = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
            let (difference, mark) = match &setting.compared {
                _ if is_base => ("base".to_owned(), String::new()),
                Some(compared) => (difference(compared), mark(&compared.verdict)),
                None => (NONE.to_owned(), NONE.to_owned()),
            };
            vec![
                (number + 1).to_string(),
                setting.name.clone(),
                or(setting.score.map(|score| spread(&score))),
                setting.score.map_or(0, |score| score.count).to_string(),
                difference,
                mark,
                or(setting.blind.map(|blind| percent(blind.mean))),
                or(setting.samples.map(|count| short(count as f64))),
                or(setting.tokens.map(|count| short(count as f64))),
                or(setting.seconds.map(|seconds| duration(seconds.mean))),
                or(setting.parameters.map(|(all, _)| thousands(all))),
                or(setting.parameters.map(|(_, trained)| thousands(trained))),
            ]
        });
    let columns = [
        ("", true),
        ("setting", false),
        ("score", true),
        ("n", true),
        ("difference, points", true),
        ("", false),
        ("blind", true),
        ("samples", true),
        ("tokens", true),
        ("time", true),
        ("parameters", true),
        ("trained", true),
    ];
    Table::new(&columns, rows.collect())
}

fn spread(score: &Spread) -> String {
    match score.deviation {
        Some(deviation) => format!("{:.1} ± {:.1} %", 100.0 * score.mean, 100.0 * deviation),
        None => percent(score.mean),
    }
}

fn difference(compared: &Compared) -> String {
    let mean = format!("{:+.1}", 100.0 * compared.difference);
    match compared.interval {
        Some((low, high)) => format!("{mean} [{:+.1}, {:+.1}]", 100.0 * low, 100.0 * high),
        None => mean,
    }
}

fn mark(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Better => "▲ better".to_owned(),
        Verdict::Worse => "▼ worse".to_owned(),
        Verdict::Unclear => "may be chance".to_owned(),
        Verdict::Withheld(why) => format!("not marked: {why}"),
    }
}

/// A row an alternative: the mean over all finished runs that have it. None where the alternatives of
/// an axis were not all combined with the same others, so that their means would say something else.
pub(super) fn alternatives(report: &Report<'_>) -> Option<Table> {
    let results = report.results;
    let mut rows = Vec::new();
    let axes = results
        .axes
        .iter()
        .enumerate()
        .filter(|(_, axis)| *axis != "seed");
    for (place, axis) in axes.clone() {
        let with = |label: &Option<String>| -> Vec<&PointResult> {
            let points = results.points.iter();
            points
                .filter(|point| point.choices[place] == *label && point.score.is_some())
                .collect()
        };
        let mut labels: Vec<&Option<String>> = Vec::new();
        for point in &results.points {
            if !labels.contains(&&point.choices[place]) {
                labels.push(&point.choices[place]);
            }
        }
        let others = |label: &Option<String>| {
            let others = with(label).into_iter().map(|point| {
                let mut choices = point.choices.clone();
                choices.remove(place);
                choices
            });
            let mut others: Vec<Vec<Option<String>>> = others.collect();
            others.sort_unstable();
            others
        };
        let is_balanced = labels
            .iter()
            .all(|label| others(label) == others(labels[0]));
        if labels.len() < 2 || !is_balanced {
            continue;
        }
        for label in labels {
            let scores = with(label)
                .into_iter()
                .filter_map(|point| point.score.as_ref());
            let scores: Vec<f64> = scores.map(|score| score.score).collect();
            if let Some(mean) = Spread::of(&scores) {
                rows.push(vec![
                    axis.clone(),
                    label.clone().unwrap_or_else(|| "as the base".to_owned()),
                    percent(mean.mean),
                    mean.count.to_string(),
                ]);
            }
        }
    }
    let columns = [
        ("axis", false),
        ("alternative", false),
        ("mean score", true),
        ("runs", true),
    ];
    (axes.count() > 1 && !rows.is_empty()).then(|| Table::new(&columns, rows))
}

/// A row for each key in which a setting's recipe is not the base's.
pub(super) fn differences(report: &Report<'_>) -> Table {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| NONE.to_owned());
    let of = |(number, setting): (usize, &Setting)| -> Vec<Vec<String>> {
        let name = |key: usize| {
            let first = key == 0;
            [
                if first {
                    (number + 1).to_string()
                } else {
                    String::new()
                },
                if first {
                    setting.name.clone()
                } else {
                    String::new()
                },
            ]
        };
        if setting.differences.is_empty() {
            let [number, name] = name(0);
            return vec![vec![
                number,
                name,
                NONE.to_owned(),
                NONE.to_owned(),
                NONE.to_owned(),
            ]];
        }
        let keys = setting.differences.iter().enumerate();
        keys.map(|(key, difference)| {
            let [number, name] = name(key);
            vec![
                number,
                name,
                difference.key.clone(),
                value(&difference.a),
                value(&difference.b),
            ]
        })
        .collect()
    };
    let settings = report.results.settings.iter().enumerate();
    let columns = [
        ("", true),
        ("setting", false),
        ("recipe key", false),
        ("base", false),
        ("here", false),
    ];
    Table::new(&columns, settings.flat_map(of).collect())
}

/// A row a run.
pub(super) fn runs(report: &Report<'_>) -> Table {
    let rows = report.results.points.iter().map(|point| {
        let outcome = match &point.outcome {
            Outcome::Finished => "finished".to_owned(),
            Outcome::Failed(_) => "failed".to_owned(),
            Outcome::Unfinished => "not at its end".to_owned(),
        };
        let run = point.summary.as_ref();
        let or = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
        vec![
            point.name.clone(),
            outcome,
            point.seed.to_string(),
            or(point.score.as_ref().map(|score| percent(score.score))),
            or(run
                .and_then(|run| run.loss)
                .map(|loss| format!("{loss:.4}"))),
            or(run.map(|run| thousands(run.steps))),
            or(run.map(|run| duration(run.seconds))),
        ]
    });
    let columns = [
        ("run", false),
        ("", false),
        ("seed", true),
        ("score", true),
        ("loss, smoothed", true),
        ("steps", true),
        ("time", true),
    ];
    Table::new(&columns, rows.collect())
}

/// A row for each run that failed.
pub(super) fn failed(report: &Report<'_>) -> Option<Table> {
    let rows = report.results.failed();
    let rows = rows.map(|(point, reason)| vec![point.name.clone(), reason.to_owned()]);
    let rows: Vec<_> = rows.collect();
    let columns = [("run", false), ("why", false)];
    (!rows.is_empty()).then(|| Table::new(&columns, rows))
}
