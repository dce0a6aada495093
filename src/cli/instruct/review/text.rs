//! Statistics in a few lines, for a terminal.

use std::fmt::Write;

use crate::cli::runs::{Side, Table};
use crate::html::counted;
use crate::instruct::review::{Duplicates, Lengths, Statistics};

/// Question types, openings and categories that are listed.
const LISTED: usize = 6;
const TEXT: &str = "a string takes any text";

pub(super) fn summary(statistics: &Statistics) -> String {
    let mut text = types(statistics);
    let questions = statistics.question_words.all.count;
    let answers = statistics.answer_words.all.count;
    let mut line = |name: &str, items: Vec<String>| {
        if !items.is_empty() {
            writeln!(text, "{name:<18}{}", items.join(", ")).expect(TEXT);
        }
    };
    let types = statistics.question_types.iter().take(LISTED);
    line(
        "question types",
        types
            .map(|of| {
                format!(
                    "{} {}",
                    of.question.name(),
                    share(of.count.total(), questions)
                )
            })
            .collect(),
    );
    let openings = &statistics.answer_openings;
    line(
        "answers begin",
        openings
            .commonest
            .iter()
            .take(LISTED)
            .map(|of| format!("\"{}\" {}", of.text, share(of.count.total(), answers)))
            .collect(),
    );
    let Duplicates {
        samples,
        questions: asked,
        answers: given,
        ..
    } = statistics.duplicates;
    line(
        "there before",
        vec![
            counted(samples, "sample"),
            counted(asked, "question"),
            counted(given, "answer"),
        ],
    );
    let flags = statistics.flags.iter();
    line(
        "flags",
        flags
            .map(|of| format!("{} in {}", of.kind, counted(of.samples.total(), "sample")))
            .collect(),
    );
    let rejects = statistics.rejects.iter();
    line(
        "rejects",
        rejects
            .map(|of| format!("{} {}", of.reason.name(), of.replies.total()))
            .collect(),
    );
    let categories = statistics.categories.iter().take(LISTED);
    line(
        "objects",
        categories
            .map(|of| format!("{} in {}", of.category, counted(of.contexts, "context")))
            .collect(),
    );
    text
}

/// A row for each type of response, and for all of several.
fn types(statistics: &Statistics) -> String {
    let mut table = Table::new(&[
        ("type", Side::Left),
        ("samples", Side::Right),
        ("answers each", Side::Right),
        ("words a question", Side::Right),
        ("words an answer", Side::Right),
        ("90 % up to", Side::Right),
    ]);
    for (kind, count) in statistics.samples.counts() {
        let of = |lengths: &Lengths| lengths.by_type.get(&kind).copied().unwrap_or_default();
        let (turns, questions, answers) = (
            of(&statistics.turns),
            of(&statistics.question_words),
            of(&statistics.answer_words),
        );
        table.row([
            kind.name().to_owned(),
            count.to_string(),
            format!("{:.1}", turns.mean),
            questions.median.to_string(),
            answers.median.to_string(),
            answers.p90.to_string(),
        ]);
    }
    if statistics.samples.counts().count() > 1 {
        table.row([
            "all".to_owned(),
            statistics.samples.total().to_string(),
            format!("{:.1}", statistics.turns.all.mean),
            statistics.question_words.all.median.to_string(),
            statistics.answer_words.all.median.to_string(),
            statistics.answer_words.all.p90.to_string(),
        ]);
    }
    table.text() + "words are medians\n"
}

fn share(count: usize, all: usize) -> String {
    format!("{:.1} %", 100.0 * count as f64 / all.max(1) as f64)
}
