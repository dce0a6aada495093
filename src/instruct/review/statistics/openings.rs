//! Texts that begin alike.

use std::collections::HashMap;

use serde::Serialize;

use super::by_type::ByType;
use super::duplicates::hash;
use super::words::words;
use crate::instruct::review::example::Kind;

/// How many words make a beginning.
pub(super) const WORDS: usize = 3;
/// The commonest ones, which are listed.
const LISTED: usize = 15;

/// Beginnings, counted. One that was seen once is a number, as most are; its text is kept from the
/// second time on.
#[derive(Debug, Default)]
pub(super) struct OpeningCounts(HashMap<u64, (ByType, Option<Box<str>>)>);

/// A beginning that several texts have.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Opening {
    /// Its words, in lower case.
    pub text: String,
    /// How many begin so, by type.
    pub count: ByType,
}

/// How alike texts begin.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Openings {
    /// How many words are compared; a shorter text is compared whole.
    pub words: usize,
    /// How many different beginnings there are.
    pub distinct: usize,
    /// The share of texts, of 1, whose beginning another one has too.
    pub alike: f64,
    /// The share of texts that begin in one of the ten commonest ways.
    pub ten_commonest: f64,
    /// The commonest beginnings, at most fifteen.
    pub commonest: Vec<Opening>,
}

impl OpeningCounts {
    pub(super) fn add(&mut self, kind: Kind, text: &str) {
        let opening: Vec<String> = words(text).take(WORDS).collect();
        let opening = opening.join(" ");
        if opening.is_empty() {
            return;
        }
        let (count, known) = self.0.entry(hash([opening.as_str()])).or_default();
        count.add(kind);
        if count.total() == 2 {
            *known = Some(opening.into());
        }
    }

    pub(super) fn finish(self) -> Openings {
        let distinct = self.0.len();
        let counts = self.0.values().map(|(count, _)| count.total());
        let all: usize = counts.sum();
        let several = self.0.into_values();
        let mut several: Vec<Opening> = several
            .filter_map(|(count, text)| Some((count, text?)))
            .map(|(count, text)| Opening {
                text: text.into(),
                count,
            })
            .collect();
        several.sort_by(|a, b| {
            let by_count = b.count.total().cmp(&a.count.total());
            by_count.then_with(|| a.text.cmp(&b.text))
        });
        let total = |of: &[Opening]| {
            of.iter()
                .map(|opening| opening.count.total())
                .sum::<usize>()
        };
        let share = |count: usize| count as f64 / all.max(1) as f64;
        let alike = total(&several);
        let alone = distinct - several.len();
        // Where fewer than ten are shared, one that is alone is among the commonest too.
        let ten = total(&several[..several.len().min(10)])
            + 10_usize.saturating_sub(several.len()).min(alone);
        several.truncate(LISTED);
        Openings {
            words: WORDS,
            distinct,
            alike: share(alike),
            ten_commonest: share(ten),
            commonest: several,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_begin_alike_are_counted_and_the_others_not_named() {
        let mut counts = OpeningCounts::default();
        for (kind, text) in [
            (Kind::Conversation, "The image shows a dog."),
            (Kind::Detail, "the image, shows two cats"),
            (Kind::Conversation, "Yes."),
            (Kind::Conversation, "yes"),
            (Kind::Conversation, "Yes, there are."),
            (Kind::Reasoning, "…"),
        ] {
            counts.add(kind, text);
        }
        let found = counts.finish();
        assert_eq!((found.words, found.distinct), (3, 3));
        assert_eq!((found.alike, found.ten_commonest), (0.8, 1.0));
        let listed: Vec<_> = found
            .commonest
            .iter()
            .map(|opening| (opening.text.as_str(), opening.count.total()))
            .collect();
        assert_eq!(listed, [("the image shows", 2), ("yes", 2)]);
        assert_eq!(found.commonest[0].count.of(Kind::Detail), 1);
    }
}
