//! `exact`: right or wrong, word for word.

use menagerie_core::benchmark::{Answer, Benchmark, Example, Question};
use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;

/// An answer is right if it equals the truth, without regard to case, space around it and a full
/// stop at its end. The score is the share of right answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct Exact {}

impl Benchmark for Exact {
    const NAME: &'static str = "exact";

    fn example() -> Example {
        Example::new("<image>\nwhat color is the shape?", "red", "reddish")
    }

    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        f64::from(u8::from(
            normalise(answer.text) == normalise(question.truth),
        ))
    }
}

menagerie_core::register_benchmark!(Exact);

/// An answer as it is compared: trimmed, in lower case, without a full stop at the end.
#[must_use]
pub fn normalise(answer: &str) -> String {
    let trimmed = answer.trim();
    trimmed
        .strip_suffix('.')
        .unwrap_or(trimmed)
        .trim_end()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_contract() {
        menagerie_core::testing::check_benchmark(Exact::NAME);
    }

    #[test]
    fn case_space_and_a_full_stop_do_not_matter() {
        assert_eq!(normalise(" Red. "), normalise("red"));
        assert_ne!(normalise("reddish"), normalise("red"));
        assert_ne!(normalise(""), normalise("red"));
    }
}
