//! Answers as the servers of VQA and `TextVQA` take them.

use menagerie_core::benchmark::Marked;
use serde_json::{Value, json};

/// `[{"question_id": 1, "answer": "red"}, …]`, with a question's id as `id` gives it, a number if it is
/// one, and its answer as `said` does.
pub(in crate::bench) fn results<'a>(
    answers: &[Marked<'a>],
    id: impl Fn(&Marked<'a>) -> &'a str,
    said: impl Fn(&str) -> String,
) -> String {
    let result = |answer: &Marked<'a>| {
        let id = id(answer);
        let id = id
            .parse::<i64>()
            .map_or_else(|_| Value::from(id), Value::from);
        json!({ "question_id": id, "answer": said(answer.answer.text) })
    };
    answers.iter().map(result).collect::<Value>().to_string()
}
