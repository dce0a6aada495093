//! The sheet that MMBench's server takes.

use menagerie_core::benchmark::{Marked, Submission};
use menagerie_core::serde_json::Value;

use super::reading::Options;
use super::row::{BARE, KEPT, OPTIONS};
use super::sheet::{self, Cell};

/// A row an answer: the index, the question, its options, what was said, and where it belongs.
pub(super) fn write(answers: &[Marked<'_>]) -> Submission {
    let letters = letters(answers);
    let names = ["index", "question"].into_iter().map(str::to_owned);
    let names = names.chain(letters.iter().map(char::to_string));
    let names = names.chain(["prediction"].into_iter().chain(KEPT).map(str::to_owned));
    let mut rows: Vec<Vec<Cell<'_>>> = vec![names.map(Cell::from).collect()];
    rows.extend(answers.iter().map(|answer| {
        let question = &answer.question;
        let options = Options::of(question);
        let index = question.id.parse().map_or(question.id.into(), Cell::Number);
        let mut row = vec![index, question.word(BARE).into()];
        row.extend(letters.iter().map(|letter| {
            let text = options.text(*letter);
            Cell::from(text.unwrap_or_default())
        }));
        row.push(answer.answer.text.into());
        row.extend(KEPT.map(|name| Cell::from(question.word(name))));
        row
    }));
    Submission::new("mmbench.xlsx", sheet::workbook(&rows))
}

/// The letters of all options, A to D at least.
fn letters(answers: &[Marked<'_>]) -> Vec<char> {
    let fields = answers
        .iter()
        .filter_map(|answer| answer.question.field(OPTIONS).and_then(Value::as_object));
    let letters = fields.flat_map(|options| options.keys().filter_map(|key| key.chars().next()));
    let last = letters.max().unwrap_or('D').max('D');
    ('A'..=last).collect()
}
