//! `vqa`: VQA v2, open questions about COCO's images (arXiv 1612.00837).

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
    ANSWERS, MAX_NEW_TOKENS, Prompt, Rewrite, answers, normalise, phrase_fault, predictions,
    processed, results, soft_accuracy, spread, tidy, with_truth,
};
use files::{ANSWER_TYPE, SPLIT, Split};

/// VQA v2: each question was put to ten people, and an answer that three others gave is right. Answers
/// are normalised as the official script does, which does not happen where all ten people agree.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct Vqa {
    /// The split whose files are taken from a folder; those of a file of questions that the user names
    /// are that file's.
    split: Split,
    /// What follows a question on a line of its own; nothing if it is empty. LLaVA's own file of
    /// questions is asked as it is.
    prompt: Prompt,
    /// What becomes of an answer before it is marked and submitted: `llava`, as
    /// `convert_vqav2_for_submission.py` does (lower case, no articles, number words as digits, …), or
    /// `none`.
    rewrite: Rewrite,
}

impl Vqa {
    fn rewritten(&self, answer: &str) -> String {
        match self.rewrite {
            Rewrite::Llava => processed(answer),
            Rewrite::None => answer.to_owned(),
        }
    }
}

impl Benchmark for Vqa {
    const NAME: &'static str = "vqa";

    fn example() -> Example {
        Example::new("<image>\nWhat color is the sky?", "blue", "green")
            .with_field(ANSWERS, vec!["blue"; 10])
            .with_field(ANSWER_TYPE, "other")
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
        let said = self.rewritten(answer.text);
        if question.field(ANSWERS).is_none() {
            // Data of another benchmark: one right answer.
            return soft_accuracy(&[self.rewritten(question.truth)], &said);
        }
        accuracy(&answers(question), &said)
    }

    fn fault(&self, _question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
        phrase_fault(answer.text)
    }

    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        mean(&with_truth(answers))
    }

    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
        let all = with_truth(answers);
        let mut figures = vec![Figure::percent("accuracy", mean(&all), all.len())];
        for kind in ["yes/no", "number", "other"] {
            let of = |answer: &&Marked<'_>| answer.question.word(ANSWER_TYPE) == kind;
            let some: Vec<_> = all.iter().filter(of).copied().collect();
            if !some.is_empty() {
                let name = format!("answer type: {kind}");
                figures.push(Figure::percent(name, mean(&some), some.len()));
            }
        }
        figures
    }

    fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission> {
        let split = answers
            .first()
            .map_or("", |first| first.question.word(SPLIT));
        let name = format!("v2_OpenEnded_mscoco_{split}_menagerie_results.json");
        let said = |text: &str| self.rewritten(text);
        let results = results(answers, |answer| answer.question.id, said);
        vec![Submission::new(name, results)]
    }

    fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError> {
        predictions(path)
    }
}

menagerie_core::register_benchmark!(Vqa);

/// The official script's accuracy of one answer, from 0 to 1. Answers are normalised, the ten and the
/// one, only if the ten are not all the same.
fn accuracy(people: &[&str], said: &str) -> f64 {
    let mut people: Vec<String> = people.iter().map(|answer| tidy(answer)).collect();
    let mut said = tidy(said);
    if spread(&people) {
        for answer in &mut people {
            *answer = normalise(answer);
        }
        said = normalise(&said);
    }
    soft_accuracy(&people, &said)
}

#[cfg(test)]
mod tests;
