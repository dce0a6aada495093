//! The figures of GQA's `eval.py`.

use std::collections::{BTreeMap, HashMap};

use menagerie_core::benchmark::{Figure, Marked, mean};
use serde_json::Value;

use super::field::{BALANCED, ENTAILED, GROUP, PLAUSIBLE, SEMANTIC, STRUCTURAL, VALID};
use crate::bench::short_answer::known;

/// The answers that are scored: to balanced questions whose truth is published.
pub(super) fn balanced<'a>(answers: &[Marked<'a>]) -> Vec<Marked<'a>> {
    let counts = |answer: &&Marked<'a>| {
        let balanced = answer.question.field(BALANCED).and_then(Value::as_bool);
        balanced != Some(false) && known(&answer.question)
    };
    answers.iter().filter(counts).copied().collect()
}

/// Accuracy; of binary and open questions; consistency, validity, plausibility and distribution, each if
/// the data allow it; accuracy by type. `said` rewrites an answer as it is marked.
pub(super) fn figures(answers: &[Marked<'_>], said: impl Fn(&str) -> String) -> Vec<Figure> {
    let scored = balanced(answers);
    let mut figures = vec![Figure::percent("accuracy", mean(&scored), scored.len())];
    let (open, binary): (Vec<Marked<'_>>, Vec<_>) = scored
        .iter()
        .filter(|answer| !answer.question.word(STRUCTURAL).is_empty())
        .partition(|answer| answer.question.word(STRUCTURAL) == "query");
    for (name, some) in [("binary", binary), ("open", open)] {
        if !some.is_empty() {
            figures.push(Figure::percent(name, mean(&some), some.len()));
        }
    }
    figures.extend(consistency(answers, &scored));
    figures.extend(among("validity", VALID, &scored, &said));
    figures.extend(among("plausibility", PLAUSIBLE, &scored, &said));
    figures.extend(distribution(&scored, &said));
    figures.extend(by_type("structural", STRUCTURAL, &scored));
    figures.extend(by_type("semantic", SEMANTIC, &scored));
    figures
}

/// Of each right answer, the share of right answers to the questions that it entails; their mean. None if
/// one of these was not asked, as with the balanced questions alone.
fn consistency(answers: &[Marked<'_>], scored: &[Marked<'_>]) -> Option<Figure> {
    let marks: HashMap<&str, f64> = answers
        .iter()
        .map(|answer| (answer.question.id, answer.mark))
        .collect();
    let mut shares = Vec::new();
    for right in scored.iter().filter(|answer| answer.mark == 1.0) {
        let entailed = texts(right, ENTAILED)?;
        let entailed: Option<Vec<f64>> = entailed.map(|id| marks.get(id).copied()).collect();
        let entailed = entailed?;
        if !entailed.is_empty() {
            shares.push(entailed.iter().sum::<f64>() / entailed.len() as f64);
        }
    }
    let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    (!shares.is_empty()).then(|| Figure::percent("consistency", mean, shares.len()))
}

/// The share of answers that are among those of a list.
fn among(
    name: &str,
    list: &str,
    scored: &[Marked<'_>],
    said: impl Fn(&str) -> String,
) -> Option<Figure> {
    let is_among = |answer: &Marked<'_>| {
        let text = said(answer.answer.text);
        Some(texts(answer, list)?.any(|choice| choice == text))
    };
    let known: Vec<bool> = scored.iter().filter_map(is_among).collect();
    let count = known.iter().filter(|is_among| **is_among).count();
    let share = count as f64 / known.len().max(1) as f64;
    (!known.is_empty()).then(|| Figure::percent(name, share, known.len()))
}

/// How far the distribution of answers is from the truth's: the chi-square statistic of each group of
/// questions, their mean weighted by the groups' sizes, a hundredth of it. 0 is best.
fn distribution(scored: &[Marked<'_>], said: impl Fn(&str) -> String) -> Option<Figure> {
    let mut groups: BTreeMap<&str, BTreeMap<&str, [usize; 2]>> = BTreeMap::new();
    for answer in scored {
        let group = answer.question.word(GROUP);
        if !group.is_empty() {
            let counts = groups.entry(group).or_default();
            counts.entry(answer.question.truth).or_default()[0] += 1;
        }
    }
    for answer in scored {
        let counts = groups.get_mut(answer.question.word(GROUP));
        // What is never true in a group does not count.
        if let Some(counts) = counts.and_then(|group| group.get_mut(&*said(answer.answer.text))) {
            counts[1] += 1;
        }
    }
    let (mut sum, mut count) = (0.0, 0);
    for group in groups.values() {
        let size: usize = group.values().map(|[expected, _]| expected).sum();
        let statistic: f64 = group.values().map(chi_square).sum();
        sum += statistic * size as f64;
        count += size;
    }
    (count > 0).then(|| Figure::points("distribution", sum / count as f64 / 100.0, count))
}

fn chi_square(&[expected, observed]: &[usize; 2]) -> f64 {
    let (expected, observed) = (expected as f64, observed as f64);
    (observed - expected).powi(2) / expected
}

fn by_type(title: &str, field: &str, scored: &[Marked<'_>]) -> Vec<Figure> {
    let mut types: BTreeMap<&str, Vec<Marked<'_>>> = BTreeMap::new();
    for answer in scored {
        let name = match answer.question.word(field) {
            "attr" => "attribute",
            "cat" => "category",
            "global" => "scene",
            "obj" => "object",
            "rel" => "relation",
            other => other,
        };
        if !name.is_empty() {
            types.entry(name).or_default().push(*answer);
        }
    }
    let figure = |(name, some): (&str, Vec<Marked<'_>>)| {
        Figure::percent(format!("{title}: {name}"), mean(&some), some.len())
    };
    types.into_iter().map(figure).collect()
}

/// The texts of a list that the data may have of a question.
fn texts<'a>(answer: &Marked<'a>, field: &str) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
    let list = answer.question.field(field)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str))
}
