//! Ratios of means.

use menagerie_core::benchmark::{Figure, Marked};

use super::review::{self, Scores};
use crate::bench::bootstrap;

/// The categories of the published questions, as the paper lists them.
pub(super) const CATEGORIES: [&str; 3] = ["conv", "detail", "complex"];

/// What the paper calls the score of all categories.
const ALL: &str = "overall";

/// The score over all reviews that can be read, where 1 is the reference's; 0 if there are none.
pub(super) fn total(answers: &[Marked<'_>]) -> f64 {
    let all = scores(answers, |_| true);
    ratio(all.iter()).unwrap_or(0.0)
}

/// The score over all and by category with its interval, then the means of both answers' points as
/// the original's `summarize_gpt_review.py` prints them, times ten.
pub(super) fn figures(answers: &[Marked<'_>]) -> Vec<Figure> {
    let all = (ALL, scores(answers, |_| true));
    let by_category = categories(answers)
        .into_iter()
        .map(|name| (name, scores(answers, |category| category == name)))
        .filter(|(_, scores)| !scores.is_empty());
    let groups: Vec<_> = [all].into_iter().chain(by_category).collect();
    let rule = rule_note(answers);

    let ratios = groups.iter().map(|(name, scores)| {
        let value = ratio(scores.iter()).unwrap_or(0.0);
        let figure = Figure::percent(format!("{name}{rule}"), value, scores.len());
        let resampled = |places: &[usize]| ratio(places.iter().map(|&place| &scores[place]));
        match bootstrap::interval(scores.len(), resampled) {
            Some([low, high]) => figure.within(100.0 * low, 100.0 * high),
            None => figure,
        }
    });
    let means = groups.iter().filter(|(_, scores)| !scores.is_empty());
    let means = means.flat_map(|(name, scores)| {
        let mean = |whose: &str, points: fn(&Scores) -> f64| {
            let value = 10.0 * mean(scores.iter().map(points)).unwrap_or(0.0);
            Figure::points(format!("{name}, {whose}{rule}"), value, scores.len())
        };
        [
            mean("reference", |scores| scores.reference),
            mean("model", |scores| scores.model),
        ]
    });
    ratios.chain(means).collect()
}

/// What both answers got, in each review that can be read of the categories that `take` takes.
fn scores(answers: &[Marked<'_>], take: impl Fn(&str) -> bool) -> Vec<Scores> {
    let taken = answers
        .iter()
        .filter(|marked| take(marked.question.word("category")));
    taken
        .filter_map(|marked| review::scores(marked.answer.review).ok())
        .collect()
}

fn ratio<'a>(scores: impl Iterator<Item = &'a Scores> + Clone) -> Option<f64> {
    let reference = mean(scores.clone().map(|scores| scores.reference))?;
    Some(mean(scores.map(|scores| scores.model))? / reference)
}

fn mean(points: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = points.fold((0.0, 0_usize), |(sum, count), value| {
        (sum + value, count + 1)
    });
    (count > 0).then(|| sum / count as f64)
}

/// The categories there are: the published ones, then a user's own by name.
fn categories<'a>(answers: &[Marked<'a>]) -> Vec<&'a str> {
    let all = answers
        .iter()
        .map(|marked| marked.question.word("category"));
    let mut all: Vec<_> = all.filter(|name| !name.is_empty()).collect();
    let rank = |name: &str| CATEGORIES.iter().position(|known| *known == name);
    all.sort_unstable_by_key(|name| (rank(name).unwrap_or(CATEGORIES.len()), *name));
    all.dedup();
    all
}

/// What tells figures under another rule from those under the original's.
fn rule_note(answers: &[Marked<'_>]) -> String {
    match answers
        .first()
        .map(|marked| marked.question.word("other_rule"))
    {
        None | Some("") => String::new(),
        Some(name) => format!(" (rule {name})"),
    }
}
