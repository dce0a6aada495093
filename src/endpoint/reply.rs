//! What comes back: a chat completion, read strictly and kept raw.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ChatError;

/// A whole reply.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChatReply {
    /// What the model says; empty if it says nothing.
    pub text: String,
    /// Why it ends.
    pub finish: FinishReason,
    /// Its refusal, from servers that tell one apart.
    pub refusal: Option<String>,
    /// The model that answered, as it calls itself; empty if it does not.
    pub model: String,
    /// What it took, from servers that count it.
    pub usage: Option<Usage>,
    /// All that the server sent; in place of the key, should it be in there, is a stand-in.
    pub raw: Value,
}

/// Why a reply ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// It reached the longest reply, or the end of its context.
    Length,
    /// A filter cut it.
    ContentFilter,
    /// Another reason; empty if the server states none.
    Other(String),
}

/// Tokens of one reply or of many, as the server counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the conversation that was sent.
    pub prompt_tokens: u64,
    /// Tokens of the reply, those of hidden reasoning among them.
    pub completion_tokens: u64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self
            .completion_tokens
            .saturating_add(other.completion_tokens);
    }
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

impl ChatReply {
    /// Reads the JSON of a chat completion, be it fresh or kept: its first choice is the reply.
    ///
    /// # Errors
    /// [`ChatError::Malformed`]: it is something else.
    pub fn from_raw(raw: Value) -> Result<Self, ChatError> {
        let malformed = |problem: String| Err(ChatError::Malformed { problem });
        let completion = match Completion::deserialize(&raw) {
            Ok(completion) => completion,
            Err(error) => return malformed(format!("it is no chat completion: {error}")),
        };
        let Some(choice) = completion.choices.into_iter().next() else {
            return malformed("its `choices` are empty".to_owned());
        };
        Ok(Self {
            text: choice.message.content.unwrap_or_default(),
            finish: FinishReason::named(choice.finish_reason.unwrap_or_default()),
            refusal: choice.message.refusal,
            model: completion.model.unwrap_or_default(),
            usage: completion.usage,
            raw,
        })
    }
}

impl FinishReason {
    fn named(name: String) -> Self {
        match name.as_str() {
            "stop" => Self::Stop,
            "length" => Self::Length,
            "content_filter" => Self::ContentFilter,
            _ => Self::Other(name),
        }
    }
}
