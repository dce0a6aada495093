//! Scoring a model on questions with known answers, and blind beside it.
//!
//! A [`Benchmark`] puts the questions and marks the answers; it is a plugin, chosen by name, and
//! [`Exact`] unless another is. The blind score asks the same questions with every image
//! replaced by grey: what a model knows of the answers without looking.
//!
//! ```
//! use menagerie::eval::{Answer, Benchmark, Example, Question};
//! use menagerie::schemars::{self, JsonSchema};
//! use menagerie::serde::{self, Deserialize};
//!
//! /// The first word of an answer must be the truth.
//! #[derive(Debug, Default, Deserialize, JsonSchema)]
//! #[serde(crate = "menagerie::serde", default, deny_unknown_fields)]
//! pub struct FirstWord {}
//!
//! impl Benchmark for FirstWord {
//!     const NAME: &'static str = "first-word";
//!
//!     fn example() -> Example {
//!         Example::new("<image>\nis there a dog?", "yes", "no, a cat")
//!     }
//!
//!     fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
//!         let first = answer.text.split(|c: char| !c.is_alphanumeric()).next();
//!         if first == Some(question.truth) { 1.0 } else { 0.0 }
//!     }
//! }
//!
//! menagerie::register_benchmark!(FirstWord);
//! # menagerie::testing::check_benchmark("first-word");
//! ```

mod answer;
mod ask;
mod asked;
mod batch;
mod error;
mod exact;
mod marker;
mod options;
mod questions;
mod shown;
mod writer;

#[cfg(feature = "train")]
pub(crate) use answer::spread;
pub use answer::{Answered, Evaluation};
#[cfg(not(feature = "bench"))]
use ask::Asker;
#[cfg(feature = "bench")]
pub(crate) use ask::Asker;
pub use error::EvalError;
pub use exact::{Exact, normalise};
pub(crate) use marker::Marker;
#[cfg(feature = "bench")]
pub(crate) use marker::Said;
pub use menagerie_core::benchmark::{Answer, AnyBenchmark, Benchmark, Example, Marked, Question};
pub use menagerie_core::plugin::{BenchmarkError, BenchmarkPlugin, benchmark, benchmarks};
pub use options::EvalOptions;
pub(crate) use questions::find;
pub use questions::{open, open_own, open_table};

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use menagerie_core::Model;

use crate::data::Dataset;

/// Asks `model` all questions of `data`: of each sample the last answer is the truth, and all
/// before it is the question.
///
/// `progress` hears how many are answered of how many, and says whether to go on.
///
/// # Errors
/// A benchmark that does not exist, needs a judge or marks out of range, data that cannot be used, a
/// question that is too long, or `progress` said no.
pub fn evaluate(
    model: &Model,
    data: &Arc<Dataset>,
    options: &EvalOptions,
    progress: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Evaluation, EvalError> {
    let begun = Instant::now();
    let (plugin, benchmark) = find(&options.benchmark, &options.options)?;
    if benchmark.judged() {
        return Err(EvalError::Judged(plugin.name.to_owned()));
    }
    let asker = Asker {
        model,
        data,
        benchmark: &benchmark,
        options,
    };
    let count = asker.count();
    let mut answers = Vec::with_capacity(count);
    asker.ask(0, &mut |batch| {
        answers.extend(batch);
        let done = answers.len();
        if progress(done, count) {
            return Ok(ControlFlow::Continue(()));
        }
        Err(EvalError::Interrupted { done, total: count })
    })?;
    let marker = Marker {
        name: plugin.name,
        benchmark: benchmark.as_ref(),
        data,
    };
    let (score, blind_score) = marker.score(&mut answers)?;
    Ok(Evaluation {
        answers,
        seconds: begun.elapsed().as_secs_f64(),
        score,
        blind_score,
    })
}
