//! The head of the page: what was made, by what, at which cost.

use super::super::Review;
use super::type_class;
use crate::html::{counted, escape, facts, head, percent, short, thousands};
use crate::instruct::Manifest;
use crate::instruct::review::example::Kind;
use crate::instruct::review::statistics::{Lengths, Statistics};

pub(super) fn section(review: &Review) -> String {
    let statistics = &review.statistics;
    let mut html = format!("<h1>{}</h1>\n", escape(&review.name));
    html.push_str(&format!(
        "<p class=\"lead\">{}</p>\n",
        escape(&lead(statistics))
    ));
    html.push_str(&facts(&numbers(review)));
    html.push_str(&links(review));
    html.push_str(&by_type(statistics));
    html
}

/// The set in a sentence.
fn lead(statistics: &Statistics) -> String {
    let samples = statistics.samples.total();
    if samples == 0 {
        return "No reply was accepted.".to_owned();
    }
    let types: Vec<String> = statistics
        .samples
        .counts()
        .filter(|(kind, _)| *kind != Kind::Untyped)
        .map(|(kind, count)| format!("{} of type {}", thousands(count), kind.name()))
        .collect();
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let (answers, images) = (statistics.answer_words.all.count, statistics.images);
    let mut lead = format!("{} sample{}", thousands(samples), s(samples));
    lead.push_str(&match images {
        0 => " without images".to_owned(),
        images => format!(" about {} image{}", thousands(images), s(images)),
    });
    lead.push_str(&format!(
        ", with {} answer{}",
        thousands(answers),
        s(answers)
    ));
    if types.len() > 1 {
        lead.push_str(&format!(": {}", types.join(", ")));
    }
    lead.push('.');
    lead
}

fn numbers(review: &Review) -> Vec<(&'static str, String)> {
    let statistics = &review.statistics;
    let mut numbers = Vec::new();
    if let Some(manifest) = &review.manifest {
        numbers.extend(made(manifest));
    }
    let rejected: usize = statistics.rejects.iter().map(|of| of.replies.total()).sum();
    if review.is_run {
        numbers.push(("replies rejected", thousands(rejected)));
        numbers.push(("samples flagged", thousands(statistics.flagged.total())));
    }
    let again = statistics.duplicates;
    numbers.push(("samples repeated", thousands(again.samples)));
    numbers.push((
        "questions repeated",
        of(again.questions, statistics.question_words.all.count),
    ));
    numbers.push((
        "answers repeated",
        of(again.answers, statistics.answer_words.all.count),
    ));
    numbers
}

/// How the samples were made.
fn made(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let Manifest { made_of, made, .. } = manifest;
    let count = |count: u64| thousands(usize::try_from(count).unwrap_or(usize::MAX));
    let usage = &made.usage;
    let hash: String = made_of.prompts_sha256.chars().take(12).collect();
    let mut facts = vec![
        ("teacher", made_of.model.clone()),
        ("prompts", hash),
        ("seed", made_of.seed.to_string()),
        ("replies", count(made.replies)),
        ("tokens in", short(usage.prompt_tokens as f64)),
        ("tokens out", short(usage.completion_tokens as f64)),
    ];
    if let Some(money) = made.money {
        facts.push(("cost", format!("{money:.2}")));
    }
    for (name, number) in [
        ("given up", made.given_up.total()),
        ("still to make", made.open.total()),
    ] {
        if number > 0 {
            facts.push((name, count(number)));
        }
    }
    facts
}

/// A count and its share.
fn of(count: usize, all: usize) -> String {
    let share = count as f64 / all.max(1) as f64;
    format!("{} ({})", thousands(count), percent(share))
}

fn links(review: &Review) -> String {
    let rejects: usize = review
        .statistics
        .rejects
        .iter()
        .map(|of| of.replies.total())
        .sum();
    let mut links = Vec::new();
    if !review.samples.is_empty() {
        let count = counted(review.samples.len(), "sample");
        links.push(format!("<a href=\"#samples\">{count}</a>"));
    }
    if rejects > 0 {
        links.push(format!(
            "<a href=\"#rejects\">{}</a>",
            counted(rejects, "reject")
        ));
    }
    links.push("<a href=\"#statistics\">statistics</a>".to_owned());
    format!("<nav>{}</nav>\n", links.join(""))
}

/// A row for each type of response.
fn by_type(statistics: &Statistics) -> String {
    let all = statistics.samples.total();
    let rows: String = statistics
        .samples
        .counts()
        .map(|(kind, count)| row(statistics, kind, count, all))
        .collect();
    let columns = [
        ("type", ""),
        ("samples", "number"),
        ("share", "number"),
        ("answers a sample, mean", "number"),
        ("words a question, median", "number"),
        ("words an answer, median", "number"),
        ("90 % up to", "number"),
        ("flagged", "number"),
    ];
    format!(
        "<div class=\"wide\"><table>{}\n<tbody>{rows}</tbody></table></div>\n",
        head(&columns)
    )
}

fn row(statistics: &Statistics, kind: Kind, count: usize, all: usize) -> String {
    let of = |lengths: &Lengths| lengths.by_type.get(&kind).copied().unwrap_or_default();
    let (turns, questions, answers) = (
        of(&statistics.turns),
        of(&statistics.question_words),
        of(&statistics.answer_words),
    );
    let cells = [
        thousands(count),
        percent(count as f64 / all.max(1) as f64),
        format!("{:.1}", turns.mean),
        thousands(questions.median),
        thousands(answers.median),
        thousands(answers.p90),
        thousands(statistics.flagged.of(kind)),
    ];
    let cells = cells.map(|cell| format!("<td class=\"number\">{cell}</td>"));
    format!(
        "<tr><td><span class=\"swatch {}\"></span>{}</td>{}</tr>\n",
        type_class(kind),
        kind.name(),
        cells.concat()
    )
}
