//! `report.html`: a run on one page, without anything from outside it.

mod answers;
mod plot;

use std::fmt::Write;

use menagerie_core::Recipe;

use super::error::TrainError;
use super::history::History;
use super::manifest::Manifest;
use super::metrics::{Score, StepMetrics};
use super::run::RunFolder;
use crate::data::Dataset;
use crate::eval::Evaluation;
use plot::{Curve, plot};

const STYLE: &str = include_str!("report/style.css");

/// Writes the report of the stages done so far.
pub(super) fn write(
    run: &RunFolder,
    recipe: &Recipe,
    manifest: &Manifest,
    scores: &[(Score, Evaluation)],
    questions: Option<&Dataset>,
) -> Result<(), TrainError> {
    let metrics = History::read(run.path())?.metrics;
    let name = escape(&recipe.name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}</title>\n<style>{STYLE}</style>\n<main>\n<h1>{name}</h1>\n"
    );
    if let Some(description) = &recipe.description {
        push(
            &mut page,
            format_args!("<p class=\"lead\">{}</p>\n", escape(description)),
        );
    }
    push(
        &mut page,
        format_args!("{}", facts(recipe, manifest, &metrics)),
    );
    if !scores.is_empty() {
        push(&mut page, format_args!("{}", score_table(scores)));
    }
    push(
        &mut page,
        format_args!("<h2>Loss</h2>\n<div class=\"plots\">\n"),
    );
    for (stage, _) in recipe.stages() {
        push(&mut page, format_args!("{}", loss_figure(stage, &metrics)));
    }
    page.push_str("</div>\n");
    if let (Some(questions), Some(table)) = (questions, &recipe.eval) {
        page.push_str(&answers::section(scores, questions, table.samples)?);
    }
    let toml = escape(&recipe.to_toml()?);
    push(
        &mut page,
        format_args!(
            "<h2>Recipe</h2>\n<details><summary>The recipe, resolved</summary><pre>{toml}</pre></details>\n"
        ),
    );
    page.push_str("</main>\n</html>\n");
    run.write("report.html", page.as_bytes())
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes any text");
}

/// A line of numbers above everything.
fn facts(recipe: &Recipe, manifest: &Manifest, metrics: &[StepMetrics]) -> String {
    let (all, trainable) = manifest.parameter_counts();
    let seconds = manifest.training_seconds();
    let facts = [
        ("encoder", recipe.vision.r#type.clone()),
        ("projector", recipe.projector.r#type.clone()),
        ("decoder", recipe.llm.r#type.clone()),
        ("parameters", thousands(all)),
        ("trained", thousands(trainable)),
        ("steps", thousands(metrics.len())),
        (
            "training",
            format!(
                "{:.0} min {:.0} s",
                (seconds / 60.0).floor(),
                seconds % 60.0
            ),
        ),
        ("seed", recipe.seed.to_string()),
    ];
    let items = facts
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value)));
    format!("<dl class=\"facts\">{}</dl>\n", items.collect::<String>())
}

fn score_table(scores: &[(Score, Evaluation)]) -> String {
    let rows = scores.iter().map(|(score, _)| {
        let blind = score.blind.map_or("–".to_owned(), percent);
        format!(
            "<tr><td>{}</td><td class=\"number\">{}</td><td>{}</td><td class=\"number\">{blind}</td><td class=\"number\">{}</td></tr>\n",
            escape(&score.stage),
            percent(score.score),
            bar(score.score, score.blind),
            thousands(score.questions),
        )
    });
    format!(
        "<h2>Score on held-out questions</h2>\n<table><thead><tr><th>after stage</th><th class=\"number\">exact answers</th>\
         <th></th><th class=\"number\">blind</th><th class=\"number\">questions</th></tr></thead>\n<tbody>{}</tbody></table>\n\
         <p class=\"note\">Blind: the same questions with every image replaced by grey, marked by a line in the bar.</p>\n",
        rows.collect::<String>()
    )
}

/// A bar with a mark where the blind score lies.
fn bar(score: f64, blind: Option<f64>) -> String {
    let mark = blind.map_or(String::new(), |blind| {
        format!("<i style=\"left:{:.1}%\"></i>", blind * 100.0)
    });
    format!(
        "<div class=\"bar\"><b style=\"width:{:.1}%\"></b>{mark}</div>",
        score * 100.0
    )
}

fn loss_figure(stage: &str, metrics: &[StepMetrics]) -> String {
    let points: Vec<(f64, f64)> = metrics
        .iter()
        .filter(|line| line.stage == stage)
        .map(|line| (line.step as f64, line.loss))
        .collect();
    if points.is_empty() {
        return String::new();
    }
    let smooth = smoothed(&points);
    let curves = [
        Curve {
            class: "raw",
            points: &points,
        },
        Curve {
            class: "smooth",
            points: &smooth,
        },
    ];
    let last = smooth.last().map_or(0.0, |point| point.1);
    format!(
        "<figure><figcaption>{} <span>last, smoothed: {last:.4}</span></figcaption>{}</figure>\n",
        escape(stage),
        plot(&curves, "step", "loss")
    )
}

/// An exponential mean over a fiftieth of the steps, without the pull towards its first value.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let keep = 1.0 - 1.0 / (points.len() as f64 / 50.0).max(1.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let mean = |&(x, y): &(f64, f64)| {
        sum = sum * keep + y;
        weight = weight * keep + 1.0;
        (x, sum / weight)
    };
    points.iter().map(mean).collect()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Digits in groups of three.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
