//! Where what is said lies in the text that a template makes of it.
//!
//! A second rendering has characters around each turn that no text holds. Without them it must be
//! the first, or the places are unknown.

use std::ops::Range;

use crate::chat::{IMAGE_MARK, Turn};

/// Unicode's noncharacters are for such use within a program.
const BEGIN: char = '\u{FDD0}';
const END: char = '\u{FDD1}';

/// The turns with marks around each text, images apart: the template may write those itself.
pub(super) fn mark_all(turns: &[Turn]) -> Vec<Turn> {
    let mark_turn = |turn: &Turn| {
        let texts: Vec<String> = turn.text.split(IMAGE_MARK).map(mark).collect();
        Turn {
            role: turn.role,
            text: texts.join(IMAGE_MARK),
        }
    };
    turns.iter().map(mark_turn).collect()
}

/// Space at the ends stays outside of the marks, so that a template can trim it.
fn mark(text: &str) -> String {
    let said = text.trim();
    if said.is_empty() {
        return text.to_owned();
    }
    let start = text.len() - text.trim_start().len();
    let (before, after) = (&text[..start], &text[start + said.len()..]);
    format!("{before}{BEGIN}{said}{END}{after}")
}

/// The places of what is said in `text`, by its marked rendering.
pub(super) fn find(marked: &str, text: &str) -> Option<Vec<Range<usize>>> {
    let mut plain = String::with_capacity(text.len());
    let mut said = Vec::new();
    let mut begun = None;
    for character in marked.chars() {
        match (character, begun) {
            (BEGIN, None) => begun = Some(plain.len()),
            (END, Some(start)) => {
                said.push(start..plain.len());
                begun = None;
            }
            (BEGIN | END, _) => return None,
            _ => plain.push(character),
        }
    }
    (plain == text && begun.is_none()).then_some(said)
}
