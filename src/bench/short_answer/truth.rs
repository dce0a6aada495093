//! What is known of a question's answer.

use menagerie_core::benchmark::{Marked, Question};
use serde_json::Value;

/// The field with the answers of all people who were asked.
pub(in crate::bench) const ANSWERS: &str = "answers";

/// The answers of all people who were asked, as the data have them; the truth alone where the data are
/// none of the benchmark's own.
pub(in crate::bench) fn answers<'a>(question: &Question<'a>) -> Vec<&'a str> {
    let listed = question.field(ANSWERS).and_then(Value::as_array);
    listed.map_or_else(
        || vec![question.truth],
        |answers| answers.iter().filter_map(Value::as_str).collect(),
    )
}

/// Whether the right answer is published.
pub(in crate::bench) fn known(question: &Question<'_>) -> bool {
    !question.truth.is_empty() || question.field(ANSWERS).is_some()
}

/// The answers to questions whose right answer is published.
pub(in crate::bench) fn with_truth<'a>(answers: &[Marked<'a>]) -> Vec<Marked<'a>> {
    let known = answers.iter().filter(|answer| known(&answer.question));
    known.copied().collect()
}
