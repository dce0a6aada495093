//! Lines of answers as LLaVA's scripts write them.

use serde::Deserialize;

use super::id::Id;

/// A question's answer.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    #[serde(alias = "id")]
    pub question_id: Id,
    /// What was asked, in the words of the one who asked.
    pub prompt: Option<String>,
    #[serde(alias = "answer", alias = "prediction")]
    pub text: String,
    /// How often the options were shifted (MMBench).
    #[serde(default)]
    pub round_id: u64,
    /// The options as they were shown (MMBench).
    #[serde(default)]
    pub options: Vec<String>,
}
