//! `gqa`: questions that take steps of reasoning, made out of scene graphs (arXiv 1902.09506).

mod entries;
mod field;
mod figures;
mod files;

use std::path::Path;

use menagerie_core::benchmark::{
    Answer, Benchmark, Example, Figure, Files, FilesError, Item, Marked, Prediction, Question,
    Submission, mean,
};
use menagerie_core::chat::Turn;
use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::short_answer::{MAX_NEW_TOKENS, Prompt, Rewrite, phrase_fault, predictions};
use files::Split;

/// GQA: an answer is right if it equals the truth. The score is the share of right answers to the
/// balanced questions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct Gqa {
    /// The split whose file is taken from a folder, unless the user names a file.
    split: Split,
    /// What follows a question on a line of its own; nothing if it is empty. LLaVA's own file of
    /// questions is asked as it is.
    prompt: Prompt,
    /// What becomes of an answer before it is marked and submitted: `llava`, as
    /// `convert_gqa_for_eval.py` does (lower case, no full stops at the end), or `none`.
    rewrite: Rewrite,
}

impl Gqa {
    fn rewritten(&self, answer: &str) -> String {
        match self.rewrite {
            Rewrite::Llava => answer.trim_end_matches('.').to_lowercase(),
            Rewrite::None => answer.to_owned(),
        }
    }
}

impl Benchmark for Gqa {
    const NAME: &'static str = "gqa";

    fn example() -> Example {
        Example::new("<image>\nIs it overcast?", "no", "yes")
            .with_field(field::STRUCTURAL, "verify")
            .with_field(field::SEMANTIC, "global")
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
        let right = match question.field(field::SPLIT) {
            Some(_) => said == question.truth,
            // Data of another benchmark, whose truth may be written otherwise.
            None => said == self.rewritten(question.truth),
        };
        f64::from(u8::from(right))
    }

    fn fault(&self, _question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
        phrase_fault(answer.text)
    }

    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        mean(&figures::balanced(answers))
    }

    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
        figures::figures(answers, |text| self.rewritten(text))
    }

    fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission> {
        let split = answers
            .first()
            .map_or("", |first| first.question.word(field::SPLIT));
        let prediction = |answer: &Marked<'_>| {
            let said = self.rewritten(answer.answer.text);
            json!({ "questionId": answer.question.id, "prediction": said })
        };
        let all: Value = answers.iter().map(prediction).collect();
        vec![Submission::new(
            format!("{split}_predictions.json"),
            all.to_string(),
        )]
    }

    fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError> {
        predictions(path)
    }
}

menagerie_core::register_benchmark!(Gqa);

#[cfg(test)]
mod tests;
