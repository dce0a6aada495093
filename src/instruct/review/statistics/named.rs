//! Things with names, counted: flags, categories, reasons.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::by_type::ByType;
use crate::instruct::ledger::Rejected;
use crate::instruct::review::example::Kind;
use crate::instruct::{Context, Flag, Reason};

/// Texts of flags that are listed with each kind.
const FLAGGED: usize = 12;

/// A kind of flag.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FlagCount {
    /// The kind.
    pub kind: String,
    /// How many samples have one, by type.
    pub samples: ByType,
    /// How many flags there are.
    pub flags: usize,
    /// What was flagged most often, and how often: at most twelve.
    pub commonest: Vec<(String, usize)>,
}

/// A category of objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CategoryCount {
    /// Its name.
    pub category: String,
    /// Contexts with such an object.
    pub contexts: usize,
    /// Boxes.
    pub boxes: usize,
}

/// A reason for which replies were rejected.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RejectCount {
    /// The reason.
    pub reason: Reason,
    /// How many replies, by type.
    pub replies: ByType,
}

#[derive(Debug, Default)]
pub(super) struct FlagCounts(BTreeMap<String, OfKind>);

#[derive(Debug, Default)]
struct OfKind {
    samples: ByType,
    texts: HashMap<String, usize>,
}

impl FlagCounts {
    pub(super) fn add(&mut self, kind: Kind, flags: &[Flag]) {
        let mut counted: Vec<&str> = Vec::new();
        for flag in flags {
            let of = self.0.entry(flag.kind.clone()).or_default();
            *of.texts.entry(flag.text.to_lowercase()).or_default() += 1;
            if !counted.contains(&flag.kind.as_str()) {
                of.samples.add(kind);
                counted.push(&flag.kind);
            }
        }
    }

    pub(super) fn finish(self) -> Vec<FlagCount> {
        let kinds = self.0.into_iter();
        let mut kinds: Vec<FlagCount> = kinds
            .map(|(kind, of)| {
                let flags = of.texts.values().sum();
                FlagCount {
                    kind,
                    samples: of.samples,
                    flags,
                    commonest: commonest(of.texts),
                }
            })
            .collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.flags));
        kinds
    }
}

fn commonest(texts: HashMap<String, usize>) -> Vec<(String, usize)> {
    let mut texts: Vec<(String, usize)> = texts.into_iter().collect();
    texts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    texts.truncate(FLAGGED);
    texts
}

/// The objects of contexts.
#[derive(Debug, Default)]
pub(super) struct CategoryCounts(BTreeMap<String, (usize, usize)>);

impl CategoryCounts {
    pub(super) fn add(&mut self, context: &Context) {
        let mut of_context: BTreeMap<&str, usize> = BTreeMap::new();
        for instance in &context.instances {
            *of_context.entry(&instance.category).or_default() += 1;
        }
        for (category, boxes) in of_context {
            let count = self.0.entry(category.to_owned()).or_default();
            count.0 += 1;
            count.1 += boxes;
        }
    }

    /// Those of most contexts first.
    pub(super) fn finish(self) -> Vec<CategoryCount> {
        let counts = self.0.into_iter();
        let mut found: Vec<CategoryCount> = counts
            .map(|(category, (contexts, boxes))| CategoryCount {
                category,
                contexts,
                boxes,
            })
            .collect();
        found.sort_by_key(|count| std::cmp::Reverse((count.contexts, count.boxes)));
        found
    }
}

#[derive(Debug, Default)]
pub(super) struct RejectCounts(BTreeMap<Reason, ByType>);

impl RejectCounts {
    pub(super) fn add(&mut self, reject: &Rejected) {
        let count = self.0.entry(reject.reason).or_default();
        count.add(reject.kind.into());
    }

    /// The commonest reason first.
    pub(super) fn finish(self) -> Vec<RejectCount> {
        let counts = self.0.into_iter();
        let mut found: Vec<RejectCount> = counts
            .map(|(reason, replies)| RejectCount { reason, replies })
            .collect();
        found.sort_by_key(|count| std::cmp::Reverse(count.replies.total()));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruct::Instance;

    #[test]
    fn a_sample_counts_once_however_many_flags_it_has() {
        let flag = |kind: &str, text: &str| Flag {
            kind: kind.to_owned(),
            text: text.to_owned(),
        };
        let mut counts = FlagCounts::default();
        let many = [
            flag("absent", "Dog"),
            flag("absent", "cat"),
            flag("mention", "caption"),
        ];
        counts.add(Kind::Detail, &many);
        counts.add(Kind::Reasoning, &[flag("absent", "dog")]);
        let found = counts.finish();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].kind.as_str(), found[0].flags), ("absent", 3));
        assert_eq!(found[0].samples.total(), 2);
        assert_eq!(
            found[0].commonest,
            [("dog".to_owned(), 2), ("cat".to_owned(), 1)]
        );
    }

    #[test]
    fn boxes_and_the_contexts_that_have_them_are_two_counts() {
        let context = |categories: &[&str]| Context {
            id: String::new(),
            image: String::new(),
            captions: Vec::new(),
            instances: categories
                .iter()
                .map(|category| Instance {
                    category: (*category).to_owned(),
                    bbox: [0.0, 0.0, 1.0, 1.0],
                })
                .collect(),
        };
        let mut counts = CategoryCounts::default();
        counts.add(&context(&["donut", "donut", "donut"]));
        counts.add(&context(&["person", "donut"]));
        counts.add(&context(&["person"]));
        let found = counts.finish();
        let found: Vec<_> = found
            .iter()
            .map(|count| (count.category.as_str(), count.contexts, count.boxes))
            .collect();
        assert_eq!(found, [("donut", 2, 4), ("person", 2, 2)]);
    }
}
