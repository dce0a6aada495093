//! `textvqa`: questions about text in images (arXiv 1904.08920).

mod files;

use std::path::Path;

use menagerie_core::benchmark::{
    Answer, Benchmark, Example, Figure, Files, FilesError, Item, Marked, Prediction, Question,
    Submission, mean,
};
use menagerie_core::chat::Turn;
use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;

use super::short_answer::{
    self, ANSWERS, MAX_NEW_TOKENS, Prompt, answers, processed, results, soft_accuracy, with_truth,
};
use files::{QUESTION_ID, SPLIT, Split};

/// `TextVQA`: each question was put to ten people, and an answer that three others gave is right. Answers
/// are normalised as LLaVA's evaluation does, which is M4C's.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct TextVqa {
    /// The split whose file is taken from a folder, unless the user names a file.
    split: Split,
    /// What follows a question on a line of its own; nothing if it is empty. LLaVA's own file of
    /// questions, which has the words of an OCR in them, is asked as it is.
    prompt: Prompt,
}

impl Benchmark for TextVqa {
    const NAME: &'static str = "textvqa";

    fn example() -> Example {
        Example::new("<image>\nwhat does the sign say?", "stop", "go")
            .with_field(ANSWERS, vec!["stop"; 10])
    }

    fn read(&self, files: &Files<'_>) -> Option<Result<Vec<Item>, FilesError>> {
        Some(files::read(files, self.split))
    }

    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        self.prompt.ask(question)
    }

    fn max_new_tokens(&self) -> usize {
        MAX_NEW_TOKENS
    }

    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        let people = answers(question).into_iter().map(processed);
        soft_accuracy(&people.collect::<Vec<_>>(), &processed(answer.text))
    }

    fn fault(&self, _question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
        // A sentence may be what the image says.
        short_answer::fault(answer.text)
    }

    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        mean(&with_truth(answers))
    }

    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
        let all = with_truth(answers);
        vec![Figure::percent("accuracy", mean(&all), all.len())]
    }

    fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission> {
        let split = answers
            .first()
            .map_or("", |first| first.question.word(SPLIT));
        let results = results(answers, number, str::to_owned);
        vec![Submission::new(
            format!("textvqa_{split}_results.json"),
            results,
        )]
    }

    fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError> {
        files::predictions(path)
    }
}

menagerie_core::register_benchmark!(TextVqa);

/// `TextVQA`'s number of a question.
fn number<'a>(answer: &Marked<'a>) -> &'a str {
    match answer.question.word(QUESTION_ID) {
        "" => answer.question.id,
        number => number,
    }
}

#[cfg(test)]
mod tests;
