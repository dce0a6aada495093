//! Why a reply is not taken.

use serde::{Deserialize, Serialize};

/// Why a reply is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The model does not want to answer.
    Refusal,
    /// A filter of the endpoint cut the reply.
    Filtered,
    /// The reply reached the longest length.
    Truncated,
    /// The reply, a question or an answer has no text.
    Empty,
    /// It is not in the form that was asked for.
    Form,
    /// A conversation of one question.
    SingleTurn,
    /// It speaks of captions, boxes or of having been told.
    MentionsSource,
    /// It states numbers of places.
    Coordinates,
    /// It says what another sample says.
    Duplicate,
    /// The endpoint refused the request itself.
    RequestRefused,
}

impl Reason {
    /// As it is written in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Filtered => "filtered",
            Self::Truncated => "truncated",
            Self::Empty => "empty",
            Self::Form => "form",
            Self::SingleTurn => "single-turn",
            Self::MentionsSource => "mentions-source",
            Self::Coordinates => "coordinates",
            Self::Duplicate => "duplicate",
            Self::RequestRefused => "request-refused",
        }
    }

    /// A reply that is not taken for this reason.
    pub(super) fn because(self, detail: impl Into<String>) -> Reject {
        Reject {
            reason: self,
            detail: detail.into(),
        }
    }
}

/// Why a reply is not taken, and what in it is the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reject {
    pub reason: Reason,
    pub detail: String,
}
