//! `new-plugin`: a benchmark that looks for the truth among the words of an answer.

use menagerie::eval::{Answer, Benchmark, Example, Question};
use menagerie::schemars::JsonSchema;
use menagerie::serde::Deserialize;

/// An answer is right if the truth is among its words, and half right if the truth is a part of one.
/// The score is the mean over all answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", default, deny_unknown_fields)]
#[schemars(crate = "menagerie::schemars")]
pub struct NewPluginBenchmark {}

impl Benchmark for NewPluginBenchmark {
    const NAME: &'static str = "new-plugin";

    fn example() -> Example {
        Example::new("<image>\nwhat color is the shape?", "red", "it is blue")
    }

    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        let (truth, answer) = (question.truth.to_lowercase(), answer.text.to_lowercase());
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
