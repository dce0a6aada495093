//! Conversation templates: turns to text, and which bytes of it are supervised.
//!
//! A template marks what it learns while it writes, so labels come from byte spans and never from
//! searching the text: a user who types `ASSISTANT:` or `</s>` changes nothing.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::nearest;

mod templates;

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

/// A template's own text: given to the model, or learned by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Given(&'static str),
    Learned(&'static str),
}

/// How a conversation is written for a model.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    name: &'static str,
    /// Before the first human text: system prompt and role.
    opening: &'static [Piece],
    /// Before each later human text.
    human: &'static [Piece],
    /// After a human text, up to where a prompt ends.
    header: &'static [Piece],
    /// Between header and answer.
    lead: &'static str,
    /// After the answer.
    end: &'static str,
    /// After the last answer.
    tail: &'static [Piece],
    /// Human texts are reduced to their images.
    drops_human_text: bool,
    stop: &'static str,
    controls: &'static [&'static str],
}

/// A conversation as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The whole text.
    pub text: String,
    /// Bytes of `text` that are supervised: answers and what ends them. Ascending, disjoint.
    pub supervised: Vec<Range<usize>>,
    /// Bytes of each [`IMAGE_MARK`], ascending.
    pub images: Vec<Range<usize>>,
    /// Bytes of the control tokens that the template itself wrote (not the ones that a turn's text
    /// may spell), ascending.
    pub controls: Vec<Range<usize>>,
}

/// No template has that name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no chat template is called `{name}`; there are: {}{}", .allowed.join(", "), nearest(.name, .allowed))]
#[non_exhaustive]
pub struct UnknownTemplate {
    /// The name asked for.
    pub name: String,
    /// The names there are.
    pub allowed: Vec<&'static str>,
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

impl Template {
    /// The template of that name.
    ///
    /// # Errors
    /// There is none; the error lists the names.
    pub fn named(name: &str) -> Result<&'static Self, UnknownTemplate> {
        templates::ALL
            .iter()
            .find(|template| template.name == name)
            .ok_or_else(|| UnknownTemplate {
                name: name.to_owned(),
                allowed: Self::names(),
            })
    }

    /// The names of all templates.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        templates::ALL.iter().map(Self::name).collect()
    }

    /// The name in `chat = "…"`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The text at which an answer is over. A model that ends with its end-of-text token never
    /// writes it.
    #[must_use]
    pub const fn stop(&self) -> &'static str {
        self.stop
    }

    /// What stands between the prompt's end and an answer. A model writes it, as it learned to; it
    /// is no part of the answer.
    #[must_use]
    pub const fn lead(&self) -> &'static str {
        self.lead
    }

    /// What the template writes and a tokenizer must know as one token each.
    #[must_use]
    pub const fn controls(&self) -> &'static [&'static str] {
        self.controls
    }

    /// Writes a conversation. If its last turn is by the human, the text ends where the answer
    /// begins (`… ASSISTANT:`, without a space): a prompt to continue.
    ///
    /// # Errors
    /// No turn, or turns that do not alternate from the human on.
    pub fn render(&self, turns: &[Turn]) -> Result<Rendered, TurnError> {
        check_order(turns)?;
        let mut out = Rendered::default();
        for (index, turn) in turns.iter().enumerate() {
            match turn.role {
                Role::Human => {
                    let before = if index == 0 { self.opening } else { self.human };
                    self.write(&mut out, before);
                    if self.drops_human_text {
                        out.text.push_str(&IMAGE_MARK.repeat(turn.images()));
                    } else {
                        out.text.push_str(&turn.text);
                    }
                    self.write(&mut out, self.header);
                }
                Role::Assistant => {
                    self.write(&mut out, &[Piece::Learned(self.lead)]);
                    out.learn(&turn.text);
                    self.write(&mut out, &[Piece::Learned(self.end)]);
                    if index + 1 == turns.len() {
                        self.write(&mut out, self.tail);
                    }
                }
            }
        }
        out.images = places(&out.text, IMAGE_MARK, 0);
        Ok(out)
    }

    fn write(&self, out: &mut Rendered, pieces: &[Piece]) {
        for piece in pieces {
            let (Piece::Given(text) | Piece::Learned(text)) = piece;
            let start = out.text.len();
            let mut controls: Vec<_> = self
                .controls
                .iter()
                .flat_map(|control| places(text, control, start))
                .collect();
            controls.sort_unstable_by_key(|place| place.start);
            out.controls.extend(controls);
            match piece {
                Piece::Given(text) => out.text.push_str(text),
                Piece::Learned(text) => out.learn(text),
            }
        }
    }
}

impl Rendered {
    fn learn(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        let end = self.text.len();
        match self.supervised.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ if start < end => self.supervised.push(start..end),
            _ => {}
        }
    }
}

fn places(text: &str, pattern: &str, offset: usize) -> Vec<Range<usize>> {
    text.match_indices(pattern)
        .map(|(at, found)| offset + at..offset + at + found.len())
        .collect()
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

#[cfg(test)]
mod tests;
