//! Shares of right questions, over all and by ability.

use std::collections::BTreeMap;

use menagerie_core::benchmark::{Figure, Marked};
use menagerie_core::serde_json::Value;

use super::row::{GROUP, SHIFT};

/// A question with all its shifts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// As it was asked first.
    first: Marked<'a>,
    /// Whether every answer to it is right.
    right: bool,
}

/// The answers by question.
pub(super) fn asked<'a>(answers: &[Marked<'a>]) -> Vec<Asked<'a>> {
    let mut places = BTreeMap::<&str, usize>::new();
    let mut asked: Vec<Asked<'a>> = Vec::new();
    for answer in answers {
        let group = match answer.question.word(GROUP) {
            "" => answer.question.id,
            group => group,
        };
        let right = answer.mark == 1.0;
        if let Some(place) = places.get(group) {
            let known = &mut asked[*place];
            known.right &= right;
            if shift(answer) < shift(&known.first) {
                known.first = *answer;
            }
            continue;
        }
        places.insert(group, asked.len());
        asked.push(Asked {
            first: *answer,
            right,
        });
    }
    asked
}

fn shift(answer: &Marked<'_>) -> u64 {
    let shift = answer.question.field(SHIFT);
    shift.and_then(Value::as_u64).unwrap_or_default()
}

/// The share of right questions; 0 if there are none.
pub(super) fn share(asked: &[Asked<'_>]) -> f64 {
    let right = asked.iter().filter(|question| question.right).count();
    right as f64 / asked.len().max(1) as f64
}

pub(super) fn all(answers: &[Marked<'_>], circular: bool) -> Vec<Figure> {
    let asked = asked(answers);
    let count = asked.len();
    if asked.iter().all(|one| one.first.question.truth.is_empty()) && count > 0 {
        let read = answers.iter().filter(|answer| answer.fault.is_none());
        let read = read.count() as f64 / answers.len() as f64;
        return vec![Figure::percent("answers read", read, answers.len())];
    }
    let mut figures = if circular {
        let single: f64 = asked.iter().map(|question| question.first.mark).sum();
        vec![
            Figure::percent("circular accuracy", share(&asked), count),
            Figure::percent("single-pass accuracy", single / count.max(1) as f64, count),
        ]
    } else {
        vec![Figure::percent("accuracy", share(&asked), count)]
    };
    for ability in ["l2-category", "category"] {
        let mut parts = BTreeMap::<&str, Vec<Asked<'_>>>::new();
        for question in &asked {
            let name = question.first.question.word(ability);
            if !name.is_empty() {
                parts.entry(name).or_default().push(*question);
            }
        }
        figures.extend(parts.iter().map(|(name, part)| {
            Figure::percent(format!("{ability}: {name}"), share(part), part.len())
        }));
    }
    figures
}
