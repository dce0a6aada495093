//! The contract of a benchmark: how questions with known answers are put, and how what a model says
//! is marked.
//!
//! ```ignore
//! menagerie_core::register_benchmark!(FirstWord);
//! ```
//!
//! A recipe chooses one with `[eval] benchmark = "first-word"`.

use std::fmt::Debug;

use schemars::JsonSchema;

use crate::chat::{IMAGE_MARK, Turn};

/// A way of asking questions with known answers and of marking what is said. Its docs are what
/// `menagerie plugins` says of it.
pub trait Benchmark: JsonSchema + Default + Debug + Send + Sync + 'static {
    /// The name in `[eval] benchmark = "…"`.
    const NAME: &'static str;

    /// A question as the benchmark's data has them, which the contract checks run on (see
    /// [`crate::testing::check_benchmark`]).
    fn example() -> Example;

    /// The conversation that the model is to continue. Default: the data's.
    ///
    /// Words may be added to it; as many [`IMAGE_MARK`]s as the data has must stay.
    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        question.turns.to_vec()
    }

    /// How good an answer is: from 0, wrong, to 1, right. It follows from question and answer alone.
    fn mark(&self, question: &Question<'_>, answer: &str) -> f64;

    /// The score of all answers, from 0 to 1. Default: the mean of their marks, or 0 if there are
    /// none.
    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        mean(answers)
    }
}

/// The mean of all marks; 0 if there are none.
#[must_use]
pub fn mean(answers: &[Marked<'_>]) -> f64 {
    let sum: f64 = answers.iter().map(|answer| answer.mark).sum();
    sum / answers.len().max(1) as f64
}

/// A question with its known answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Question<'a> {
    /// The sample's id.
    pub id: &'a str,
    /// What is said before the answer, as the data has it; the last turn is the question.
    pub turns: &'a [Turn],
    /// The right answer.
    pub truth: &'a str,
}

impl<'a> Question<'a> {
    /// Of a sample's id, its turns without the answer, and that answer.
    #[must_use]
    pub fn new(id: &'a str, turns: &'a [Turn], truth: &'a str) -> Self {
        Self { id, turns, truth }
    }

    /// The last turn without its image marks.
    #[must_use]
    pub fn text(&self) -> String {
        let last = self.turns.last().map_or("", |turn| turn.text.as_str());
        last.replace(IMAGE_MARK, "").trim().to_owned()
    }

    /// Images of all turns.
    #[must_use]
    pub fn images(&self) -> usize {
        self.turns.iter().map(Turn::images).sum()
    }
}

/// An answer with its mark.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Marked<'a> {
    /// What was asked.
    pub question: Question<'a>,
    /// What the model said, trimmed.
    pub answer: &'a str,
    /// [`Benchmark::mark`] of it.
    pub mark: f64,
}

impl<'a> Marked<'a> {
    /// Of an answer and its mark.
    #[must_use]
    pub fn new(question: Question<'a>, answer: &'a str, mark: f64) -> Self {
        Self {
            question,
            answer,
            mark,
        }
    }
}

/// A question with its truth and a wrong answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Example {
    /// The human's turn; [`IMAGE_MARK`] stands where an image is meant.
    pub question: String,
    /// The right answer, as the data states it. A model that says it gets the mark 1.
    pub truth: String,
    /// An answer that gets less.
    pub wrong: String,
}

impl Example {
    /// Of the three texts.
    pub fn new(
        question: impl Into<String>,
        truth: impl Into<String>,
        wrong: impl Into<String>,
    ) -> Self {
        Self {
            question: question.into(),
            truth: truth.into(),
            wrong: wrong.into(),
        }
    }
}

/// A benchmark of any type; see [`Benchmark`] for what the methods do.
pub trait AnyBenchmark: Debug + Send + Sync {
    /// See [`Benchmark::ask`].
    fn ask(&self, question: &Question<'_>) -> Vec<Turn>;
    /// See [`Benchmark::mark`].
    fn mark(&self, question: &Question<'_>, answer: &str) -> f64;
    /// See [`Benchmark::total`].
    fn total(&self, answers: &[Marked<'_>]) -> f64;
}

impl<B: Benchmark> AnyBenchmark for B {
    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        Benchmark::ask(self, question)
    }

    fn mark(&self, question: &Question<'_>, answer: &str) -> f64 {
        Benchmark::mark(self, question, answer)
    }

    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        Benchmark::total(self, answers)
    }
}
