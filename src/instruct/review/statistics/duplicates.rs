//! What is there more than once.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use super::words::words;
use crate::instruct::review::example::Example;

/// How many repeat one that came before: with the same words, whatever their case and punctuation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Duplicates {
    /// Samples of the same images with the same turns.
    pub samples: usize,
    /// Questions of whatever image. Those of descriptions come from a short list, so that most do.
    pub questions: usize,
    /// Answers of whatever image.
    pub answers: usize,
}

/// What was seen, as hashes: 8 bytes for each text, whatever its length.
#[derive(Debug, Default)]
pub(super) struct Seen {
    samples: HashSet<u64>,
    questions: HashSet<u64>,
    answers: HashSet<u64>,
    again: Duplicates,
}

impl Seen {
    pub(super) fn add(&mut self, example: &Example) {
        for question in example.questions() {
            self.again.questions += repeats(&mut self.questions, said(&question));
        }
        for answer in example.answers() {
            self.again.answers += repeats(&mut self.answers, said(answer));
        }
        let images = example.images.iter().map(String::as_str);
        let turns: Vec<String> = example
            .turns
            .iter()
            .map(|turn| said_text(&turn.text))
            .collect();
        let whole = images.chain([""]).chain(turns.iter().map(String::as_str));
        self.again.samples += repeats(&mut self.samples, hash(whole));
    }

    pub(super) fn finish(self) -> Duplicates {
        self.again
    }
}

/// 1 if it is there already.
fn repeats(seen: &mut HashSet<u64>, hash: u64) -> usize {
    usize::from(!seen.insert(hash))
}

fn said(text: &str) -> u64 {
    hash([said_text(text).as_str()])
}

fn said_text(text: &str) -> String {
    words(text).collect::<Vec<String>>().join(" ")
}

/// Of several texts in order; the same in every run of one build.
pub(super) fn hash<'t>(texts: impl IntoIterator<Item = &'t str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.into_iter().for_each(|text| text.hash(&mut hasher));
    hasher.finish()
}
