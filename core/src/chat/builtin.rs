//! A built-in template: fixed texts around the turns.

use super::rendered::{Rendered, places};
use super::{IMAGE_MARK, Role, Turn, TurnError, check_order};

/// A template's own text: given to the model, or learned by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Given(&'static str),
    Learned(&'static str),
}

/// How a conversation is written for a model.
#[derive(Debug)]
pub(super) struct BuiltIn {
    pub name: &'static str,
    /// Before the first human text: system prompt and role.
    pub opening: &'static [Piece],
    /// Before each later human text.
    pub human: &'static [Piece],
    /// After a human text, up to where a prompt ends.
    pub header: &'static [Piece],
    /// Between header and answer.
    pub lead: &'static str,
    /// After the answer.
    pub end: &'static str,
    /// After the last answer.
    pub tail: &'static [Piece],
    /// Human texts are reduced to their images.
    pub drops_human_text: bool,
    pub stop: &'static str,
    pub controls: &'static [&'static str],
}

impl BuiltIn {
    pub(super) fn render(&self, turns: &[Turn]) -> Result<Rendered, TurnError> {
        check_order(turns)?;
        let mut out = Writer::default();
        for (index, turn) in turns.iter().enumerate() {
            match turn.role {
                Role::Human => {
                    out.own(if index == 0 { self.opening } else { self.human });
                    if self.drops_human_text {
                        out.typed(&IMAGE_MARK.repeat(turn.images()));
                    } else {
                        out.typed(&turn.text);
                    }
                    out.own(self.header);
                }
                Role::Assistant => {
                    out.own(&[Piece::Learned(self.lead)]);
                    let start = out.text.len();
                    out.typed(&turn.text);
                    out.learned(start);
                    out.own(&[Piece::Learned(self.end)]);
                    if index + 1 == turns.len() {
                        out.own(self.tail);
                    }
                }
            }
        }
        Ok(Rendered {
            images: places(&out.text, IMAGE_MARK),
            text: out.text,
            supervised: out.supervised,
            typed: Some(out.typed),
        })
    }
}

/// A text that grows, with what is learned of it and what the turns say.
#[derive(Default)]
struct Writer {
    text: String,
    supervised: Vec<std::ops::Range<usize>>,
    typed: Vec<std::ops::Range<usize>>,
}

impl Writer {
    fn own(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            let start = self.text.len();
            let (Piece::Given(text) | Piece::Learned(text)) = piece;
            self.text.push_str(text);
            if matches!(piece, Piece::Learned(_)) {
                self.learned(start);
            }
        }
    }

    fn typed(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.typed.push(start..self.text.len());
    }

    /// What was written from `start` on is learned.
    fn learned(&mut self, start: usize) {
        let end = self.text.len();
        match self.supervised.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ if start < end => self.supervised.push(start..end),
            _ => {}
        }
    }
}
