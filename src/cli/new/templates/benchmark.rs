//! `new-plugin`: a benchmark that looks for the truth among the words of an answer.

use menagerie::eval::{Benchmark, Example, Question};
use menagerie::schemars::JsonSchema;

/// An answer is right if the truth is among its words, and half right if the truth is a part of one.
/// The score is the mean over all answers.
#[derive(Debug, Default, JsonSchema)]
#[schemars(crate = "menagerie::schemars")]
pub struct NewPluginBenchmark;

impl Benchmark for NewPluginBenchmark {
    const NAME: &'static str = "new-plugin";

    fn example() -> Example {
        Example::new("<image>\nwhat color is the shape?", "red", "it is blue")
    }

    fn mark(&self, question: &Question<'_>, answer: &str) -> f64 {
        let (truth, answer) = (question.truth.to_lowercase(), answer.to_lowercase());
        let mut words = answer.split(|c: char| !c.is_alphanumeric());
        if words.any(|word| word == truth) || answer == truth {
            1.0
        } else if answer.contains(&truth) {
            0.5
        } else {
            0.0
        }
    }
}

menagerie::register_benchmark!(NewPluginBenchmark);
