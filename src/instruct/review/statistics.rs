//! What all samples together look like.
//!
//! Counted as they pass: what is kept of a text is a few words or a hash.

mod by_type;
mod duplicates;
mod first_words;
mod lengths;
mod named;
mod openings;
mod question;
mod words;

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

pub use by_type::ByType;
pub use duplicates::Duplicates;
pub use first_words::{FirstWord, SecondWord};
pub use lengths::{Bin, Lengths, Summary};
pub use named::{CategoryCount, FlagCount, RejectCount};
pub use openings::{Opening, Openings};
pub use question::QuestionType;

use super::example::Example;
use duplicates::{Seen, hash};
use first_words::FirstWordCounts;
use lengths::LengthCounts;
use named::{CategoryCounts, FlagCounts, RejectCounts};
use openings::OpeningCounts;

use crate::instruct::Context;
use crate::instruct::ledger::Rejected;

/// Statistics of a data set. Words are runs of anything but white space, and `<image>` is none; they
/// are compared in lower case, without the punctuation around them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Statistics {
    /// Samples, by type.
    pub samples: ByType,
    /// Different images that samples name.
    pub images: usize,
    /// Answers a sample.
    pub turns: Lengths,
    /// Words a question.
    pub question_words: Lengths,
    /// Words an answer.
    pub answer_words: Lengths,
    /// What kinds of questions there are.
    pub question_types: Vec<QuestionTypeCount>,
    /// With which words questions begin.
    pub first_words: Vec<FirstWord>,
    /// How alike answers begin.
    pub answer_openings: Openings,
    /// What is there more than once.
    pub duplicates: Duplicates,
    /// Samples with flags, by type.
    pub flagged: ByType,
    /// The kinds of flags.
    pub flags: Vec<FlagCount>,
    /// Contexts that there are, whether samples were made of them or not.
    pub contexts: usize,
    /// The objects in their boxes.
    pub categories: Vec<CategoryCount>,
    /// Why replies were rejected.
    pub rejects: Vec<RejectCount>,
}

/// How many questions are of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QuestionTypeCount {
    /// The type of question.
    pub question: QuestionType,
    /// How many there are, by type of sample.
    pub count: ByType,
}

/// Statistics in the making.
#[derive(Debug, Default)]
pub(super) struct Counts {
    samples: ByType,
    images: HashSet<u64>,
    turns: LengthCounts,
    question_words: LengthCounts,
    answer_words: LengthCounts,
    question_types: BTreeMap<QuestionType, ByType>,
    first_words: FirstWordCounts,
    openings: OpeningCounts,
    seen: Seen,
    flagged: ByType,
    flags: FlagCounts,
    contexts: usize,
    categories: CategoryCounts,
    rejects: RejectCounts,
}

impl Counts {
    pub(super) fn sample(&mut self, example: &Example) {
        let kind = example.kind;
        self.samples.add(kind);
        for image in &example.images {
            self.images.insert(hash([image.as_str()]));
        }
        for question in example.questions() {
            self.question_words.add(kind, words::count(&question));
            let of = QuestionType::of(&question);
            self.question_types.entry(of).or_default().add(kind);
            self.first_words.add(kind, &question);
        }
        for answer in example.answers() {
            self.answer_words.add(kind, words::count(answer));
            self.openings.add(kind, answer);
        }
        self.turns.add(kind, example.answers().count());
        self.seen.add(example);
        if !example.flags.is_empty() {
            self.flagged.add(kind);
        }
        self.flags.add(kind, &example.flags);
    }

    pub(super) fn context(&mut self, context: &Context) {
        self.contexts += 1;
        self.categories.add(context);
    }

    pub(super) fn reject(&mut self, reject: &Rejected) {
        self.rejects.add(reject);
    }

    pub(super) fn finish(self) -> Statistics {
        let types = self.question_types.into_iter();
        let mut question_types: Vec<QuestionTypeCount> = types
            .map(|(question, count)| QuestionTypeCount { question, count })
            .collect();
        question_types.sort_by_key(|of| std::cmp::Reverse(of.count.total()));
        Statistics {
            samples: self.samples,
            images: self.images.len(),
            turns: self.turns.finish(),
            question_words: self.question_words.finish(),
            answer_words: self.answer_words.finish(),
            question_types,
            first_words: self.first_words.finish(),
            answer_openings: self.openings.finish(),
            duplicates: self.seen.finish(),
            flagged: self.flagged,
            flags: self.flags.finish(),
            contexts: self.contexts,
            categories: self.categories.finish(),
            rejects: self.rejects.finish(),
        }
    }
}

#[cfg(test)]
#[path = "statistics/tests.rs"]
mod tests;
