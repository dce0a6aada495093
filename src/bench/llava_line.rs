//! Lines of answers as LLaVA's scripts write them.

use serde::Deserialize;

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

/// An id is a text or a number.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "an id is a text or a whole number")]
pub(super) enum Id {
    Number(u64),
    Text(String),
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        match id {
            Id::Number(number) => number.to_string(),
            Id::Text(text) => text,
        }
    }
}
