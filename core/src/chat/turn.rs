//! Turns of a conversation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Stands for an image in a turn's text.
pub const IMAGE_MARK: &str = "<image>";

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The one who asks.
    Human,
    /// The one who is trained.
    Assistant,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Human => "the human",
            Self::Assistant => "the assistant",
        })
    }
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said; each [`IMAGE_MARK`] in it stands for an image.
    pub text: String,
}

impl Turn {
    /// A turn by the human.
    pub fn human(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            role: Role::Human,
            text,
        }
    }

    /// A turn by the assistant.
    pub fn assistant(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            role: Role::Assistant,
            text,
        }
    }

    /// How many images the turn holds.
    #[must_use]
    pub fn images(&self) -> usize {
        self.text.matches(IMAGE_MARK).count()
    }
}

/// Turns that are no conversation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TurnError {
    /// There is no turn.
    #[error("the conversation has no turn; it needs at least one by the human")]
    Empty,
    /// Two turns in a row by one side, or the assistant begins.
    #[error(
        "turn {number} is by {found} where one by {expected} is due; turns alternate and the human begins"
    )]
    Order {
        /// Which turn, from 1.
        number: usize,
        /// Who is due.
        expected: Role,
        /// Who speaks.
        found: Role,
    },
}

/// Whether turns alternate, from the human on.
///
/// # Errors
/// No turn, or the first that is by the wrong side.
pub fn check_order(turns: &[Turn]) -> Result<(), TurnError> {
    if turns.is_empty() {
        return Err(TurnError::Empty);
    }
    let due = [Role::Human, Role::Assistant].into_iter().cycle();
    for (number, (turn, expected)) in (1..).zip(turns.iter().zip(due)) {
        if turn.role != expected {
            return Err(TurnError::Order {
                number,
                expected,
                found: turn.role,
            });
        }
    }
    Ok(())
}
