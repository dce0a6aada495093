//! `pope`: does the model see objects that are not there? (arXiv 2305.10355)

mod confusion;
mod files;
mod reading;

use std::collections::BTreeMap;
use std::path::Path;

use menagerie_core::benchmark::{
    Answer, Benchmark, Example, Figure, Files, FilesError, Item, Marked, Prediction, Question,
    Submission,
};
use menagerie_core::chat::Turn;
use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::short_answer::{MAX_NEW_TOKENS, Prompt, known};
use confusion::Confusion;
use files::SPLIT;

/// POPE: "Is there a … in the image?", of things that are and are not there. An answer is read as the
/// original script does: `no` if the first sentence has one of the words `No`, `no` and `not`, and
/// otherwise `yes`. The score is F1, the mean of the splits.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct Pope {
    /// What follows a question on a line of its own; nothing if it is empty. LLaVA's own file of
    /// questions is asked as it is.
    prompt: Prompt,
}

impl Benchmark for Pope {
    const NAME: &'static str = "pope";

    fn example() -> Example {
        Example::new("<image>\nIs there a dog in the image?", "yes", "No")
            .with_field(SPLIT, "random")
    }

    fn read(&self, files: &Files<'_>) -> Option<Result<Vec<Item>, FilesError>> {
        Some(files::read(files))
    }

    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        self.prompt.ask(question)
    }

    fn max_new_tokens(&self) -> usize {
        MAX_NEW_TOKENS
    }

    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        let right = reading::says_yes(answer.text) == reading::says_yes(question.truth);
        f64::from(u8::from(right))
    }

    fn fault(&self, _question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
        reading::fault(answer.text)
    }

    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        mean_f1(&by_split(answers))
    }

    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
        let splits = by_split(answers);
        let count = splits.values().map(Confusion::count).sum();
        let mut figures = vec![Figure::percent("f1", mean_f1(&splits), count)];
        for (split, confusion) in &splits {
            let shares = [
                ("f1", confusion.f1()),
                ("accuracy", confusion.accuracy()),
                ("precision", confusion.precision()),
                ("recall", confusion.recall()),
                ("yes share", confusion.yes_share()),
            ];
            figures.extend(shares.map(|(name, share)| {
                Figure::percent(format!("{split}: {name}"), share, confusion.count())
            }));
        }
        figures
    }

    fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission> {
        let mut splits: BTreeMap<&str, String> = BTreeMap::new();
        for answer in answers {
            let asked = answer.question.text();
            let question = asked.lines().next().unwrap_or_default();
            let line = json!({ "question": question, "answer": answer.answer.text });
            let lines = splits.entry(files::split_of(&answer.question)).or_default();
            lines.push_str(&format!("{line}\n"));
        }
        let file = |(split, lines)| Submission::new(format!("pope_{split}_answers.json"), lines);
        splits.into_iter().map(file).collect()
    }

    fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError> {
        files::predictions(path)
    }
}

menagerie_core::register_benchmark!(Pope);

fn by_split<'a>(answers: &[Marked<'a>]) -> BTreeMap<&'a str, Confusion> {
    let mut splits: BTreeMap<&str, Confusion> = BTreeMap::new();
    for Marked {
        question, answer, ..
    } in answers.iter().filter(|answer| known(&answer.question))
    {
        let confusion = splits.entry(files::split_of(question)).or_default();
        let says_yes = reading::says_yes(answer.text);
        confusion.add(says_yes, reading::says_yes(question.truth));
    }
    splits
}

fn mean_f1(splits: &BTreeMap<&str, Confusion>) -> f64 {
    let sum: f64 = splits.values().map(Confusion::f1).sum();
    sum / splits.len().max(1) as f64
}

#[cfg(test)]
mod tests;
