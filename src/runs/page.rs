//! Two runs on one page.

use super::answers::{ChangedAnswer, Changes};
use super::compare::{Comparison, ScorePair};
use super::summary::{Run, RunSummary};
use crate::html::plot::{Curve, Plot};
use crate::html::{bytes, duration, escape, head, page, percent, short, thousands};
use crate::train::{Quantity, Score, curve};

/// Questions of a score that are shown with both answers.
const SHOWN: usize = 12;
/// The CSS classes of the two runs.
const CLASSES: [&str; 2] = ["smooth", "other"];

impl Comparison {
    /// A page with both runs' curves over each other, without anything from outside it.
    #[must_use]
    pub fn to_html(&self) -> String {
        let (a, b) = (&self.a, &self.b);
        let mut body = format!(
            "<h1><span class=\"one\">{}</span> and <span class=\"two\">{}</span></h1>\n",
            escape(&a.path.display().to_string()),
            escape(&b.path.display().to_string())
        );
        body.push_str(&summaries(a, b));
        body.push_str(&self.recipes());
        body.push_str(&self.figures());
        body.push_str(&self.score_table());
        if let Some(changes) = self
            .scores
            .iter()
            .rev()
            .find_map(|pair| pair.answers.as_ref())
        {
            body.push_str(&changed(changes));
        }
        page(&format!("{} and {}", a.name, b.name), &body)
    }

    fn recipes(&self) -> String {
        let value = |value: &Option<String>| match value {
            Some(value) => format!("<code>{}</code>", escape(value)),
            None => "–".to_owned(),
        };
        let hash =
            |hash: &Option<String>| hash.as_ref().map(|hash| hash.chars().take(12).collect());
        let keys = self.recipe.iter().flatten().map(|difference| {
            (
                format!("<code>{}</code>", escape(&difference.key)),
                value(&difference.a),
                value(&difference.b),
            )
        });
        let files = self.files.iter().map(|file| {
            (
                format!("{} <code>{}</code>", escape(&file.what), escape(&file.path)),
                value(&hash(&file.a)),
                value(&hash(&file.b)),
            )
        });
        let rows: String = keys
            .chain(files)
            .map(|(key, a, b)| format!("<tr><td>{key}</td><td>{a}</td><td>{b}</td></tr>\n"))
            .collect();
        let title = "<h2>What is not the same</h2>\n";
        if rows.is_empty() {
            return format!("{title}<p class=\"note\">Recipe, data and initial weights are.</p>\n");
        }
        let head = head(&[
            ("recipe key or file", ""),
            ("first", "one"),
            ("second", "two"),
        ]);
        format!("{title}<div class=\"wide\"><table>{head}\n<tbody>{rows}</tbody></table></div>\n")
    }

    fn figures(&self) -> String {
        let figures = Quantity::ALL.into_iter().map(|quantity| {
            let parts = [0, 1].map(|side| {
                let Run {
                    timeline, history, ..
                } = &self.runs[side];
                curve(timeline, history, quantity)
            });
            let curves = parts.iter().zip(CLASSES).flat_map(|(parts, class)| {
                parts.iter().map(move |part| Curve {
                    class,
                    points: if quantity.is_noisy() {
                        &part.smooth
                    } else {
                        &part.points
                    },
                    dots: false,
                })
            });
            let note = if quantity.is_noisy() { "smoothed" } else { "" };
            figure(quantity.title(), note, &curves.collect::<Vec<_>>())
        });
        let scores = [0, 1].map(|side| score_points(&self.runs[side]));
        let curves = scores.iter().zip(CLASSES).map(|(points, class)| Curve {
            class,
            points,
            dots: true,
        });
        format!(
            "<h2>Curves</h2>\n<div class=\"plots\">\n{}{}</div>\n",
            figures.collect::<String>(),
            figure("Score, %", "", &curves.collect::<Vec<_>>())
        )
    }

    fn score_table(&self) -> String {
        if self.scores.is_empty() {
            return String::new();
        }
        let rows = self.scores.iter().map(score_row);
        let columns = [
            ("taken", ""),
            ("first", "number one"),
            ("second", "number two"),
            ("fixed", "number"),
            ("broken", "number"),
            ("questions of both", "number"),
        ];
        format!(
            "<h2>Scores</h2>\n<table>{}\n<tbody>{}</tbody></table>\n\
             <p class=\"note\">Fixed: wrong in the first run, right in the second. Broken: the other way round.</p>\n",
            head(&columns),
            rows.collect::<String>()
        )
    }
}

/// The two runs in numbers.
fn summaries(a: &RunSummary, b: &RunSummary) -> String {
    let rows = [(a, "one"), (b, "two")].map(|(run, class)| {
        let cells = [
            thousands(run.steps),
            run.loss.map_or("–".to_owned(), |loss| format!("{loss:.4}")),
            best(run),
            short(run.tokens as f64),
            duration(run.seconds),
            bytes(run.bytes),
        ];
        let cells = cells.map(|cell| format!("<td class=\"number\">{cell}</td>"));
        format!(
            "<tr><td class=\"{class}\">{}</td>{}</tr>\n",
            escape(&run.path.display().to_string()),
            cells.concat()
        )
    });
    let columns = [
        ("run", ""),
        ("steps", "number"),
        ("loss, smoothed", "number"),
        ("best score", "number"),
        ("tokens", "number"),
        ("training", "number"),
        ("on disk", "number"),
    ];
    format!(
        "<div class=\"wide\"><table>{}\n<tbody>{}</tbody></table></div>\n",
        head(&columns),
        rows.concat()
    )
}

fn best(run: &RunSummary) -> String {
    let score = run.best.as_ref();
    score.map_or("–".to_owned(), |best| percent(best.score))
}

fn figure(title: &str, note: &str, curves: &[Curve<'_>]) -> String {
    if curves.iter().all(|curve| curve.points.is_empty()) {
        return String::new();
    }
    let plot = Plot {
        curves,
        marks: &[],
        best: None,
        labels: &[],
        y_from: 0.0,
        x_label: "step",
        y_label: title,
    };
    format!(
        "<figure><figcaption>{title} <span>{note}</span></figcaption>{}</figure>\n",
        plot.svg()
    )
}

fn score_points(run: &Run) -> Vec<(f64, f64)> {
    let place = |score: &Score| {
        let step = run.timeline.at(&score.stage, score.step)?;
        Some((step as f64, 100.0 * score.score))
    };
    run.history.scores.iter().filter_map(place).collect()
}

fn score_row(pair: &ScorePair) -> String {
    let score = |score: &Option<Score>| {
        let score = score.as_ref();
        score.map_or("–".to_owned(), |score| percent(score.score))
    };
    let count = |count: fn(&Changes) -> usize| {
        let changes = pair.answers.as_ref();
        changes.map_or("–".to_owned(), |changes| thousands(count(changes)))
    };
    let cells = [
        score(&pair.a),
        score(&pair.b),
        count(|changes| changes.fixed),
        count(|changes| changes.broken),
        count(|changes| changes.questions),
    ];
    let cells = cells.map(|cell| format!("<td class=\"number\">{cell}</td>"));
    format!(
        "<tr><td>{}</td>{}</tr>\n",
        escape(&pair.place()),
        cells.concat()
    )
}

/// Some of the questions that one run has right and the other wrong.
fn changed(changes: &Changes) -> String {
    let some = |fixed| {
        let questions = changes.changed.iter();
        let chosen = questions.filter(move |question| question.fixed == fixed);
        chosen.take(SHOWN).map(changed_row)
    };
    let rows: String = some(true).chain(some(false)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = [
        ("question", ""),
        ("truth", ""),
        ("first", "one"),
        ("second", "two"),
    ];
    format!(
        "<h2>Answers that changed</h2>\n<table>{}\n<tbody>{rows}</tbody></table>\n\
         <p class=\"note\">Of the last score that both have; up to {SHOWN} that were fixed, then up to {SHOWN} that were broken.</p>\n",
        head(&columns)
    )
}

fn changed_row(question: &ChangedAnswer) -> String {
    let [a, b] = if question.fixed {
        ["wrong", "right"]
    } else {
        ["right", "wrong"]
    };
    let [asked, truth, one, two] = [
        &question.question,
        &question.truth,
        &question.a,
        &question.b,
    ]
    .map(|text| escape(text));
    format!(
        "<tr><td>{asked}</td><td>{truth}</td><td class=\"{a}\">{one}</td><td class=\"{b}\">{two}</td></tr>\n"
    )
}
