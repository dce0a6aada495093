//! The same questions, answered by two runs.

use std::collections::HashMap;

use serde::Serialize;

use crate::eval::Answered;

/// How the second run answers what the first one answers too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Changes {
    /// Questions that both have answered.
    pub questions: usize,
    /// Wrong in the first run, right in the second.
    pub fixed: usize,
    /// Right in the first run, wrong in the second.
    pub broken: usize,
    /// Right in both.
    pub both_right: usize,
    /// Wrong in both.
    pub both_wrong: usize,
    /// Each question that was fixed or broken, in the first run's order.
    pub changed: Vec<ChangedAnswer>,
}

/// A question that one run has right and the other wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChangedAnswer {
    /// The sample's id.
    pub id: String,
    /// The question.
    pub question: String,
    /// The right answer.
    pub truth: String,
    /// The first run's answer.
    pub a: String,
    /// The second run's.
    pub b: String,
    /// Whether the second one is right.
    pub fixed: bool,
}

impl Changes {
    /// `None` if no question is in both.
    pub(super) fn between(a: &[Answered], b: &[Answered]) -> Option<Self> {
        fn key(answered: &Answered) -> [&str; 3] {
            [&answered.id, &answered.question, &answered.truth]
        }
        let others: HashMap<[&str; 3], &Answered> =
            b.iter().map(|answered| (key(answered), answered)).collect();
        let pairs = a
            .iter()
            .filter_map(|answered| Some((answered, *others.get(&key(answered))?)));
        let mut changes = Self::default();
        for (a, b) in pairs {
            changes.questions += 1;
            match (a.correct, b.correct) {
                (true, true) => changes.both_right += 1,
                (false, false) => changes.both_wrong += 1,
                (false, true) => changes.fixed += 1,
                (true, false) => changes.broken += 1,
            }
            if a.correct != b.correct {
                changes.changed.push(ChangedAnswer {
                    id: a.id.clone(),
                    question: a.question.clone(),
                    truth: a.truth.clone(),
                    a: a.answer.clone(),
                    b: b.answer.clone(),
                    fixed: b.correct,
                });
            }
        }
        (changes.questions > 0).then_some(changes)
    }
}
