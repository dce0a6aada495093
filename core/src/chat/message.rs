//! Messages of the chat protocol that model servers speak.

use serde::{Deserialize, Serialize};

/// Who writes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// Whoever sets the rules of the conversation.
    System,
    /// The one who asks.
    User,
    /// The one who answers.
    Assistant,
}

/// A message to or from a model behind an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Who writes it.
    #[serde(rename = "role")]
    pub speaker: Speaker,
    /// What it says.
    pub content: String,
}

impl Message {
    /// The rules of the conversation.
    pub fn system(content: impl Into<String>) -> Self {
        Self {
            speaker: Speaker::System,
            content: content.into(),
        }
    }

    /// A message by the one who asks.
    pub fn user(content: impl Into<String>) -> Self {
        Self {
            speaker: Speaker::User,
            content: content.into(),
        }
    }

    /// A message by the one who answers.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self {
            speaker: Speaker::Assistant,
            content: content.into(),
        }
    }
}
