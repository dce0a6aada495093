//! `scienceqa`: multiple choice from school science, with images and without.

mod figures;
mod format;
mod judge;
mod problem;
mod reading;
mod results;
mod training;

use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{
    Answer, Benchmark, Example, Figure, Files, FilesError, Item, Marked, Prediction, Question,
    Review, Submission,
};
use menagerie_core::schemars::JsonSchema;
use menagerie_core::serde_json::Value;
use serde::Deserialize;

pub use format::Format;
use judge::Verdict;
use reading::Letter;
pub use training::conversations;

/// ScienceQA (arXiv 2209.09513): questions from school science with two to five options, half of them
/// with an image. The score is the share of right answers, reported by subject, context and grade
/// too. A second model, the paper of LLaVA's GPT-4, can answer first or judge where the two differ.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct ScienceQa {
    /// A split of `pid_splits.json`: `train`, `val`, `test`, `trainval`, `minitrain`, `minival` or
    /// `minitest`. Default: `test`.
    pub split: String,
    /// How a question is put. Default: `CQM-A`.
    pub format: Format,
    /// A file of captions, ScienceQA's `captions.json`, which go to the question's context. Default:
    /// none.
    pub captions: Option<PathBuf>,
    /// Answers of a second model and what they are for. Default: none.
    pub second: Option<Second>,
}

/// What the answers of a second model are for: a file of them in ScienceQA's form (`outputs` by
/// problem), or of JSON lines.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(crate = "menagerie_core::schemars")]
pub enum Second {
    /// They count, and the model's where they cannot be read.
    Complement(PathBuf),
    /// Where they differ from the model's a judge gets both with the question, and decides.
    Judge(PathBuf),
}

impl Default for ScienceQa {
    fn default() -> Self {
        Self {
            split: "test".to_owned(),
            format: Format::default(),
            captions: None,
            second: None,
        }
    }
}

impl ScienceQa {
    /// Whose letter counts, and why there is none.
    fn verdict(&self, question: &Question<'_>, answer: &Answer<'_>) -> Verdict {
        let own = Letter::read(answer.text);
        match self.second {
            None => Verdict::of(own),
            Some(Second::Complement(_)) => Verdict::complement(own, second(question)),
            Some(Second::Judge(_)) => Verdict::judged(own, second(question), answer.review),
        }
    }
}

/// The letter that the second model gave.
fn second(question: &Question<'_>) -> Option<Letter> {
    Letter::read(question.word(problem::SECOND)).ok()
}

impl Benchmark for ScienceQa {
    const NAME: &'static str = "scienceqa";

    fn example() -> Example {
        let question =
            "<image>\nWhich ocean is highlighted?\nA. the Arctic Ocean\nB. the Atlantic Ocean";
        Example::new(question, "B", "A")
            .with_field(problem::CHOICES, 2)
            .with_field("subject", "social science")
            .with_field("grade", "grade4")
            .with_field(problem::HAS_TEXT, false)
            .with_field(problem::HAS_IMAGE, true)
    }

    fn read(&self, files: &Files<'_>) -> Option<Result<Vec<Item>, FilesError>> {
        Some(problem::read(files, self))
    }

    /// Short for a letter, and long enough for a lecture.
    fn max_new_tokens(&self) -> usize {
        match self.format {
            Format::CqmA | Format::QcmA => 16,
            Format::QcmLea | Format::QcmAle => 1024,
        }
    }

    fn judged(&self) -> bool {
        matches!(self.second, Some(Second::Judge(_)))
    }

    fn review(&self, question: &Question<'_>, answer: &str) -> Option<Review> {
        let differs = judge::differ(Letter::read(answer).ok(), second(question));
        (self.judged() && differs).then(|| judge::review(question, answer))
    }

    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        let letter = self.verdict(question, answer).letter;
        let right = letter.is_some() && letter == Letter::read(question.truth).ok();
        f64::from(u8::from(right))
    }

    fn fault(&self, question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
        let verdict = self.verdict(question, answer);
        let choices = question.field(problem::CHOICES).and_then(Value::as_u64);
        let choices = choices.unwrap_or(u64::MAX);
        let beyond = verdict
            .letter
            .is_some_and(|letter| letter.place() >= choices);
        verdict.fault.or(beyond.then_some("letter out of range"))
    }

    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
        let mut figures = figures::all(answers);
        if self.second.is_some() {
            figures.extend(figures::of_both(answers));
        }
        figures
    }

    fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission> {
        let letter = |answer: &Marked<'_>| self.verdict(&answer.question, &answer.answer).letter;
        vec![results::write(answers, letter)]
    }

    /// A `.json` file as ScienceQA's and LLaVA's scripts write results, or JSON lines as LLaVA's
    /// `model_vqa_science.py` writes answers.
    fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError> {
        results::read(path)
    }
}

menagerie_core::register_benchmark!(ScienceQa);

#[cfg(test)]
mod tests;
