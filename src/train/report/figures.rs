//! Curves over the steps of all stages.

use crate::html::escape;
use crate::html::plot::{Curve, Plot};
use crate::train::curves::{Part, Quantity, curve, group_rates};
use crate::train::history::History;
use crate::train::timeline::Timeline;

/// A figure for each quantity that the run has told of.
pub(super) fn section(history: &History, timeline: &Timeline) -> String {
    let marks: Vec<(f64, &str)> = timeline
        .stages()
        .map(|(name, begin, _)| (begin as f64, name))
        .collect();
    let groups = group_rates(timeline, history);
    let figures = Quantity::ALL.into_iter().map(|quantity| {
        let parts = curve(timeline, history, quantity);
        let groups: &[_] = match quantity {
            Quantity::LearningRate => &groups,
            _ => &[],
        };
        figure(quantity, &parts, groups, &marks)
    });
    format!(
        "<h2>Curves</h2>\n<div class=\"plots\">\n{}{}</div>\n",
        figures.collect::<String>(),
        scores(history, timeline, &marks)
    )
}

/// `groups` are curves beside that of `parts`.
fn figure(
    quantity: Quantity,
    parts: &[Part],
    groups: &[Vec<(f64, f64)>],
    marks: &[(f64, &str)],
) -> String {
    let Some(last) = parts.last() else {
        return String::new();
    };
    let noisy = quantity.is_noisy();
    let plain = if noisy { "raw" } else { "smooth" };
    let raw = parts.iter().map(|part| (plain, &part.points));
    let smooth = parts.iter().map(|part| ("smooth", &part.smooth));
    let groups = groups.iter().map(|points| ("aside", points));
    let shown = raw.chain(smooth.filter(|_| noisy)).chain(groups.clone());
    let curves: Vec<Curve<'_>> = shown
        .map(|(class, points)| Curve {
            class,
            points,
            dots: false,
        })
        .collect();
    let (values, word) = if noisy {
        (&last.smooth, "last, smoothed")
    } else {
        (&last.points, "last")
    };
    let value = values.last().map_or(0.0, |point| point.1);
    let value = match quantity {
        Quantity::LearningRate => format!("{value:.2e}"),
        Quantity::Throughput => format!("{value:.0}"),
        Quantity::Memory => format!("{value:.2}"),
        Quantity::Loss | Quantity::GradientNorm => format!("{value:.4}"),
    };
    let marks = if marks.len() > 1 { marks } else { &[] };
    let dashed = if groups.len() > 0 {
        ", dashed: groups"
    } else {
        ""
    };
    framed(
        quantity.title(),
        &format!("{word}: {value}{dashed}"),
        &Plot {
            curves: &curves,
            marks,
            best: None,
            labels: &[],
            y_from: 0.0,
            x_label: "step",
            y_label: quantity.title(),
        },
    )
}

/// Scores over the steps, from two on.
fn scores(history: &History, timeline: &Timeline, marks: &[(f64, &str)]) -> String {
    let place = |stage: &str, step| timeline.at(stage, step).map(|step| step as f64);
    let points = |value: fn(&crate::train::Score) -> Option<f64>| -> Vec<(f64, f64)> {
        let scores = history.scores.iter();
        scores
            .filter_map(|score| Some((place(&score.stage, score.step)?, 100.0 * value(score)?)))
            .collect()
    };
    let (seen, blind) = (
        points(|score| Some(score.score)),
        points(|score| score.blind),
    );
    if seen.len() < 2 {
        return String::new();
    }
    let best = history.best().and_then(|best| {
        let place = place(&best.stage, best.step)?;
        Some((place, 100.0 * best.score))
    });
    let named = best.map(|(_, score)| format!("best, {score:.1}"));
    let curves = [("aside", &blind), ("smooth", &seen)].map(|(class, points)| Curve {
        class,
        points,
        dots: true,
    });
    framed(
        "Score, %",
        if blind.is_empty() {
            ""
        } else {
            "dashed: blind"
        },
        &Plot {
            curves: &curves,
            marks: if marks.len() > 1 { marks } else { &[] },
            best: best.zip(named.as_deref()),
            labels: &[],
            y_from: 0.0,
            x_label: "step",
            y_label: "score",
        },
    )
}

fn framed(title: &str, note: &str, plot: &Plot<'_>) -> String {
    format!(
        "<figure><figcaption>{} <span>{}</span></figcaption>{}</figure>\n",
        escape(title),
        escape(note),
        plot.svg()
    )
}
