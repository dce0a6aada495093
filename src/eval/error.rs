//! What can end a score early.

use menagerie_core::benchmark::FilesError;
use menagerie_core::generate::GenerateError;
use menagerie_core::plugin::BenchmarkError;
use menagerie_core::tokens::EncodeError;
use thiserror::Error;

use crate::data::DataError;

/// Questions that cannot be answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),

    /// A question cannot be written for the model.
    #[error("question `{id}`: {source}")]
    Encode {
        /// Its id.
        id: String,
        /// Why.
        source: EncodeError,
    },

    /// No benchmark of that name, or two.
    #[error(transparent)]
    Benchmark(#[from] BenchmarkError),

    /// A benchmark that asks about other images than the data has.
    #[error(
        "the benchmark `{benchmark}` asks question `{id}` with {asked} times `<image>`, and the data has {images}; it must keep them all"
    )]
    Images {
        /// The benchmark's name.
        benchmark: String,
        /// The question's id.
        id: String,
        /// Marks in what it asks.
        asked: usize,
        /// Images of the sample.
        images: usize,
    },

    /// A benchmark that marks out of range.
    #[error(
        "the benchmark `{benchmark}` gives an answer to question `{id}` the mark {mark}; marks are from 0 to 1"
    )]
    Mark {
        /// The benchmark's name.
        benchmark: String,
        /// The question's id.
        id: String,
        /// The mark.
        mark: f64,
    },

    /// A benchmark that reports what cannot be compared.
    #[error(
        "the benchmark `{benchmark}` reports {value} as the {what} of {answers} answers; scores are numbers from 0 on"
    )]
    NoNumber {
        /// The benchmark's name.
        benchmark: String,
        /// What is reported.
        what: String,
        /// How many answers it is of.
        answers: usize,
        /// The value.
        value: f64,
    },

    /// A benchmark's files cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),

    /// A benchmark whose answers go to a judge, where there is none.
    #[error(
        "answers to the benchmark `{0}` go to a judge: score the model with `menagerie bench run {0}`"
    )]
    Judged(String),

    /// An answer cannot be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),

    /// Someone asked to stop.
    #[error("stopped after {done} of {total} questions")]
    Interrupted {
        /// Questions answered.
        done: usize,
        /// Questions.
        total: usize,
    },
}
