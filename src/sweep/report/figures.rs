//! Score against cost, and learning curves on one axis: a colour a setting.

use super::Report;
use crate::html::escape;
use crate::html::plot::{Curve, Plot};
use crate::sweep::results::Setting;

/// Settings that are drawn; of more the curves could not be told apart.
const DRAWN: usize = COLOURS.len();
/// Colours, then the same dashed, then dotted.
const COLOURS: [&str; 24] = [
    "of c0", "of c1", "of c2", "of c3", "of c4", "of c5", "of c6", "of c7", "of c0 d1", "of c1 d1",
    "of c2 d1", "of c3 d1", "of c4 d1", "of c5 d1", "of c6 d1", "of c7 d1", "of c0 d2", "of c1 d2",
    "of c2 d2", "of c3 d2", "of c4 d2", "of c5 d2", "of c6 d2", "of c7 d2",
];

/// The CSS class of the setting of that number.
pub(super) fn colour(setting: usize) -> &'static str {
    COLOURS.get(setting).copied().unwrap_or("c6")
}

pub(super) fn section(report: &Report<'_>) -> String {
    let figures = [scores_by_cost(report), losses(report)].concat();
    if figures.is_empty() {
        return String::new();
    }
    format!("<h2>Curves</h2>\n<div class=\"plots\">\n{figures}</div>\n")
}

fn scores_by_cost(report: &Report<'_>) -> String {
    let points: Vec<Vec<(f64, f64)>> = drawn(report)
        .map(|setting| {
            let minutes = setting.seconds.map(|seconds| seconds.mean / 60.0);
            let score = setting.score.map(|score| 100.0 * score.mean);
            minutes.zip(score).into_iter().collect()
        })
        .collect();
    let scores = || points.iter().flatten().map(|point| point.1);
    let lowest = scores().fold(f64::MAX, f64::min);
    if scores().count() == 0 {
        return String::new();
    }
    let curves = curves(&points, true);
    let labels = points.iter().enumerate();
    let labels =
        labels.filter_map(|(number, point)| Some((*point.first()?, (number + 1).to_string())));
    let plot = Plot {
        curves: &curves,
        marks: &[],
        best: None,
        labels: &labels.collect::<Vec<_>>(),
        y_from: (lowest / 10.0).floor() * 10.0,
        x_label: "minutes of training a run",
        y_label: "score, %",
    };
    framed("Score against cost", "numbers as in the table", &plot)
}

/// The smoothed loss of each setting, averaged over its seeds.
fn losses(report: &Report<'_>) -> String {
    let points = report.results.points.as_slice();
    let means: Vec<Vec<(f64, f64)>> = drawn(report)
        .map(|setting| {
            let members = setting
                .points
                .iter()
                .map(|&point| points[point].loss.as_slice());
            let members: Vec<&[f64]> = members.filter(|loss| !loss.is_empty()).collect();
            let steps = members.iter().map(|loss| loss.len()).min().unwrap_or(0);
            let mean = |step: usize| {
                let sum: f64 = members.iter().map(|loss| loss[step]).sum();
                (step as f64, sum / members.len() as f64)
            };
            (0..steps).map(mean).collect()
        })
        .collect();
    if means.iter().all(Vec::is_empty) {
        return String::new();
    }
    let curves = curves(&means, false);
    let plot = Plot {
        curves: &curves,
        marks: &[],
        best: None,
        labels: &[],
        y_from: 0.0,
        x_label: "step, over all stages",
        y_label: "loss",
    };
    framed(
        "Loss",
        "smoothed, mean over seeds; colours as in the table",
        &plot,
    )
}

fn drawn<'r>(report: &'r Report<'_>) -> impl Iterator<Item = &'r Setting> {
    report.results.settings.iter().take(DRAWN)
}

fn curves(points: &[Vec<(f64, f64)>], dots: bool) -> Vec<Curve<'_>> {
    let all = points.iter().enumerate();
    all.filter(|(_, points)| !points.is_empty())
        .map(|(number, points)| Curve {
            class: colour(number),
            points,
            dots,
        })
        .collect()
}

fn framed(title: &str, note: &str, plot: &Plot<'_>) -> String {
    format!(
        "<figure><figcaption>{title} <span>{}</span></figcaption>{}</figure>\n",
        escape(note),
        plot.svg()
    )
}
