//! The contract of a benchmark: where its questions come from, how they are put, and how what a
//! model says is marked and added up.
//!
//! ```ignore
//! menagerie_core::register_benchmark!(FirstWord);
//! ```
//!
//! A recipe chooses one with `[eval] benchmark = "first-word"`, the command line with
//! `menagerie bench run first-word`. The type's fields are its options, as with every other plugin.

mod figure;
mod files;
mod question;

use std::fmt::Debug;
use std::path::Path;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::chat::{Message, Turn};

pub use figure::{Figure, Unit};
pub use files::{
    Files, FilesError, Item, ItemImage, Prediction, Seen, Submission, first_word,
    json_lines_predictions, only_word, read_json, read_json_lines, read_text,
};
pub use question::{Answer, Example, Marked, Question, mean};

/// A way of asking questions with known answers and of marking what is said. Its docs are what
/// `menagerie plugins` says of it, its fields are options with defaults.
pub trait Benchmark:
    DeserializeOwned + JsonSchema + Default + Debug + Send + Sync + 'static
{
    /// The name in `[eval] benchmark = "…"`.
    const NAME: &'static str;

    /// A question as the benchmark's data have it, which the contract checks run on (see
    /// [`crate::testing::check_benchmark`]).
    fn example() -> Example;

    /// The questions of files in a form that is the benchmark's own. Default: none, and the files
    /// are in one of the forms that training reads, each question of a conversation by itself.
    fn read(&self, _files: &Files<'_>) -> Option<Result<Vec<Item>, FilesError>> {
        None
    }

    /// The conversation that the model is to continue. Default: the data's.
    ///
    /// Words may be added to it; as many [`IMAGE_MARK`](crate::chat::IMAGE_MARK)s as the data has
    /// must stay.
    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        question.turns.to_vec()
    }

    /// The longest answer, in tokens, unless the user says otherwise. Default: 16.
    fn max_new_tokens(&self) -> usize {
        16
    }

    /// Whether answers go to a judge, another model behind an endpoint. Default: they do not.
    fn judged(&self) -> bool {
        false
    }

    /// What the judge is asked about an answer, if it is asked at all. Its reply is the answer's
    /// [`review`](Answer::review). Default: nothing.
    fn review(&self, _question: &Question<'_>, _answer: &str) -> Option<Review> {
        None
    }

    /// How good an answer is: from 0, wrong, to 1, right. It follows from question, answer and
    /// review alone.
    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64;

    /// Why an answer cannot be read as one, in a few fixed words: counted by reason beside the
    /// score. It is marked all the same; what the mark is worth, the [`total`](Self::total) says.
    /// Default: `empty` if it is.
    fn fault(&self, _question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
        answer.text.trim().is_empty().then_some("empty")
    }

    /// The score of all answers, where 0 is worst and 1 is as good as the truth. Default: the mean
    /// of their marks, or 0 if there are none.
    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        mean(answers)
    }

    /// Everything that is reported of all answers, in the benchmark's own units, the headline first.
    /// Default: the [`total`](Self::total) in percent, called `score`.
    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
        vec![Figure::percent("score", self.total(answers), answers.len())]
    }

    /// The files that the benchmark's authors, or their server, take. Default: none.
    fn submission(&self, _answers: &[Marked<'_>]) -> Vec<Submission> {
        Vec::new()
    }

    /// The answers in a file that another program wrote. Default: JSON lines with an id
    /// (`question_id` or `id`) and an answer (`text`, `answer` or `prediction`).
    ///
    /// # Errors
    /// The file cannot be read, or is in another form.
    fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError> {
        files::json_lines_predictions(path)
    }
}

/// What a judge is asked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Review {
    /// The conversation, the last message by the user.
    pub messages: Vec<Message>,
    /// The sampling temperature.
    pub temperature: f64,
    /// The longest reply, in tokens.
    pub max_tokens: u32,
}

impl Review {
    /// Of its three parts.
    #[must_use]
    pub fn new(messages: Vec<Message>, temperature: f64, max_tokens: u32) -> Self {
        Self {
            messages,
            temperature,
            max_tokens,
        }
    }
}

/// A benchmark of any type; see [`Benchmark`] for what the methods do.
#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "they are those of `Benchmark`"
)]
pub trait AnyBenchmark: Debug + Send + Sync {
    fn read(&self, files: &Files<'_>) -> Option<Result<Vec<Item>, FilesError>>;
    fn ask(&self, question: &Question<'_>) -> Vec<Turn>;
    fn max_new_tokens(&self) -> usize;
    fn judged(&self) -> bool;
    fn review(&self, question: &Question<'_>, answer: &str) -> Option<Review>;
    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64;
    fn fault(&self, question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str>;
    fn total(&self, answers: &[Marked<'_>]) -> f64;
    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure>;
    fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission>;
    fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError>;
}

impl<B: Benchmark> AnyBenchmark for B {
    fn read(&self, files: &Files<'_>) -> Option<Result<Vec<Item>, FilesError>> {
        Benchmark::read(self, files)
    }

    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        Benchmark::ask(self, question)
    }

    fn max_new_tokens(&self) -> usize {
        Benchmark::max_new_tokens(self)
    }

    fn judged(&self) -> bool {
        Benchmark::judged(self)
    }

    fn review(&self, question: &Question<'_>, answer: &str) -> Option<Review> {
        Benchmark::review(self, question, answer)
    }

    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        Benchmark::mark(self, question, answer)
    }

    fn fault(&self, question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
        Benchmark::fault(self, question, answer)
    }

    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        Benchmark::total(self, answers)
    }

    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
        Benchmark::figures(self, answers)
    }

    fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission> {
        Benchmark::submission(self, answers)
    }

    fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError> {
        Benchmark::predictions(self, path)
    }
}
