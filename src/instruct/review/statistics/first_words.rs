//! With which words questions begin: the first one, and the second after it.

use std::collections::HashMap;

use serde::Serialize;

use super::by_type::ByType;
use super::words::words;
use crate::instruct::review::example::Kind;

/// First words that are listed, and second words after each.
const LISTED: [usize; 2] = [30, 15];

/// A question's first word.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FirstWord {
    /// The word, in lower case.
    pub word: String,
    /// How many questions begin with it, by type.
    pub count: ByType,
    /// The commonest words after it, at most fifteen.
    pub next: Vec<SecondWord>,
}

/// A question's second word.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SecondWord {
    /// The word, in lower case; empty where the question ends after the first.
    pub word: String,
    /// How many questions begin with both.
    pub count: usize,
}

#[derive(Debug, Default)]
pub(super) struct FirstWordCounts(HashMap<String, (ByType, HashMap<String, usize>)>);

impl FirstWordCounts {
    pub(super) fn add(&mut self, kind: Kind, question: &str) {
        let mut words = words(question);
        let Some(first) = words.next() else {
            return;
        };
        let (count, next) = self.0.entry(first).or_default();
        count.add(kind);
        *next.entry(words.next().unwrap_or_default()).or_default() += 1;
    }

    /// The commonest first words, at most thirty, commonest first.
    pub(super) fn finish(self) -> Vec<FirstWord> {
        let mut found: Vec<FirstWord> = self
            .0
            .into_iter()
            .map(|(word, (count, next))| FirstWord {
                word,
                count,
                next: seconds(next),
            })
            .collect();
        found.sort_by(|a, b| {
            let by_count = b.count.total().cmp(&a.count.total());
            by_count.then_with(|| a.word.cmp(&b.word))
        });
        found.truncate(LISTED[0]);
        found
    }
}

fn seconds(counts: HashMap<String, usize>) -> Vec<SecondWord> {
    let counts = counts.into_iter();
    let mut found: Vec<SecondWord> = counts
        .map(|(word, count)| SecondWord { word, count })
        .collect();
    found.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.word.cmp(&b.word)));
    found.truncate(LISTED[1]);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_words_are_counted_under_their_first() {
        let mut counts = FirstWordCounts::default();
        for question in ["What is it?", "what color?", "What is there", "Why?", "  ?"] {
            counts.add(Kind::Conversation, question);
        }
        let found = counts.finish();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].word.as_str(), found[0].count.total()),
            ("what", 3)
        );
        let next = |number: usize| {
            let next = found[number].next.iter();
            next.map(|second| (second.word.as_str(), second.count))
                .collect::<Vec<_>>()
        };
        assert_eq!(next(0), [("is", 2), ("color", 1)]);
        assert_eq!(next(1), [("", 1)]);
    }
}
