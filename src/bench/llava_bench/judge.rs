//! What the judge is asked.

use menagerie_core::benchmark::{Question, Review};
use menagerie_core::chat::Message;

/// The system message of the original's `eval_gpt_review_visual.py` and `eval_gpt_review_bench.py`
/// (Apache-2.0), word for word: it is part of what a score means.
const SYSTEM: &str =
    "You are a helpful and precise assistant for checking the quality of the answer.";

/// Both from the same scripts.
const TEMPERATURE: f64 = 0.2;
const MAX_TOKENS: u32 = 1024;

/// The conversation with the judge, as the original's scripts have it; none about a question of
/// other data.
pub(super) fn review(question: &Question<'_>, answer: &str) -> Option<Review> {
    question.fields?;
    let [context, text, role, rule] =
        ["context", "text", "role", "rule"].map(|field| question.word(field));
    let reference = question.truth;
    let content = format!(
        "[Context]\n{context}\n\n\
         [Question]\n{text}\n\n\
         [{role} 1]\n{reference}\n\n[End of {role} 1]\n\n\
         [{role} 2]\n{answer}\n\n[End of {role} 2]\n\n\
         [System]\n{rule}\n\n"
    );
    let messages = vec![Message::system(SYSTEM), Message::user(content)];
    Some(Review::new(messages, TEMPERATURE, MAX_TOKENS))
}
