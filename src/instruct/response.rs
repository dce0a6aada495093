//! The three types of response.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is made of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseType {
    /// Several questions with their answers. Its context has captions alone.
    Conversation,
    /// A description of all that is visible.
    Detail,
    /// A question that takes thought, with its answer.
    Reasoning,
}

impl ResponseType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Conversation, Self::Detail, Self::Reasoning];

    /// As it is written in files and options.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Detail => "detail",
            Self::Reasoning => "reasoning",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
