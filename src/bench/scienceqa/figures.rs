//! Accuracy over all and by the parts of the paper's table, named as there.

use menagerie_core::benchmark::{Figure, Marked, Question, mean};
use menagerie_core::serde_json::Value;

use super::problem::{HAS_IMAGE, HAS_TEXT};
use super::reading::Letter;
use super::second;

/// A column of the paper's table, and which questions are in it.
type Column = (&'static str, fn(&Question<'_>) -> bool);

/// The columns as `evaluate_acc.py` chooses them. `language science` is its word.
const COLUMNS: [Column; 8] = [
    ("NAT", |question| {
        question.word("subject") == "natural science"
    }),
    ("SOC", |question| {
        question.word("subject") == "social science"
    }),
    ("LAN", |question| {
        question.word("subject") == "language science"
    }),
    ("TXT", |question| has(question, HAS_TEXT)),
    ("IMG", |question| has(question, HAS_IMAGE)),
    ("NO", |question| {
        question.fields.is_some() && !has(question, HAS_TEXT) && !has(question, HAS_IMAGE)
    }),
    ("G1-6", |question| (1..=6).contains(&grade(question))),
    ("G7-12", |question| (7..=12).contains(&grade(question))),
];

fn has(question: &Question<'_>, field: &str) -> bool {
    let field = question.field(field);
    field.and_then(Value::as_bool).unwrap_or_default()
}

/// The number of `grade7`; 0 if it has none.
fn grade(question: &Question<'_>) -> u8 {
    let number = question.word("grade").strip_prefix("grade");
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

pub(super) fn all(answers: &[Marked<'_>]) -> Vec<Figure> {
    let accuracy = Figure::percent("accuracy", mean(answers), answers.len());
    let columns = COLUMNS.into_iter().filter_map(|(name, is_in)| {
        let part: Vec<_> = answers
            .iter()
            .copied()
            .filter(|answer| is_in(&answer.question))
            .collect();
        (!part.is_empty()).then(|| Figure::percent(name, mean(&part), part.len()))
    });
    [accuracy].into_iter().chain(columns).collect()
}

/// What each of two models is worth by itself, and how good the best choice between them would be.
pub(super) fn of_both(answers: &[Marked<'_>]) -> [Figure; 4] {
    let share = |name: &str, is_so: fn(Option<Letter>, Option<Letter>, Option<Letter>) -> bool| {
        let count = answers.iter().filter(|answer| {
            let own = Letter::read(answer.answer.text).ok();
            let truth = Letter::read(answer.question.truth).ok();
            is_so(own, second(&answer.question), truth)
        });
        let share = count.count() as f64 / answers.len().max(1) as f64;
        Figure::percent(name, share, answers.len())
    };
    [
        share("the model alone", |own, _, truth| own == truth),
        share("the second model alone", |_, second, truth| second == truth),
        share("either of the two", |own, second, truth| {
            own == truth || second == truth
        }),
        share("the second model unread", |_, second, _| second.is_none()),
    ]
}
