//! Scores of tasks, and their sums.

use std::collections::BTreeMap;

use menagerie_core::benchmark::{Figure, Marked, mean};

use super::task::{Kind, Task};

/// The points of a task in which all is right.
const MOST: f64 = 200.0;

/// A task's answers.
#[derive(Debug, Default)]
struct Tally<'a> {
    answers: usize,
    right: f64,
    /// By image, whether all its answers are right.
    images: BTreeMap<&'a str, bool>,
}

impl Tally<'_> {
    fn accuracy(&self) -> f64 {
        self.right / self.answers.max(1) as f64
    }

    /// The share of images with both answers right.
    fn accuracy_plus(&self) -> f64 {
        let right = self.images.values().filter(|right| **right).count();
        right as f64 / self.images.len().max(1) as f64
    }

    fn score(&self) -> f64 {
        100.0 * self.accuracy() + 100.0 * self.accuracy_plus()
    }
}

fn tallies<'a>(answers: &[Marked<'a>]) -> BTreeMap<Task, Tally<'a>> {
    let mut tallies = BTreeMap::<_, Tally<'_>>::new();
    for answer in answers {
        let Some(task) = Task::named(answer.question.word("task")) else {
            continue;
        };
        let tally = tallies.entry(task).or_default();
        tally.answers += 1;
        tally.right += answer.mark;
        let image = answer.question.word("image");
        *tally.images.entry(image).or_insert(true) &= answer.mark == 1.0;
    }
    tallies
}

/// Points out of all that the tasks asked have, from 0 to 1. Of questions that are no task's it is
/// the share of right answers.
pub(super) fn share(answers: &[Marked<'_>]) -> f64 {
    let tallies = tallies(answers);
    if tallies.is_empty() {
        return mean(answers);
    }
    let points: f64 = tallies.values().map(Tally::score).sum();
    points / (MOST * tallies.len() as f64)
}

pub(super) fn all(answers: &[Marked<'_>]) -> Vec<Figure> {
    let tallies = tallies(answers);
    if tallies.is_empty() {
        return vec![Figure::percent("accuracy", mean(answers), answers.len())];
    }
    let kinds = [
        (Kind::Perception, "perception", 10),
        (Kind::Cognition, "cognition", 4),
    ];
    let sums = kinds.into_iter().filter_map(|(kind, name, all)| {
        let of = |(task, _): &(&Task, &Tally<'_>)| task.kind() == kind;
        let tallies: Vec<_> = tallies.iter().filter(of).map(|(_, tally)| tally).collect();
        let name = match tallies.len() {
            0 => return None,
            some if some < all => format!("{name} ({some} of {all} tasks)"),
            _ => name.to_owned(),
        };
        let points = tallies.iter().map(|tally| tally.score()).sum();
        let count = tallies.iter().map(|tally| tally.answers).sum();
        Some(Figure::points(name, points, count))
    });
    let tasks = tallies.iter().flat_map(|(task, tally)| {
        let (name, images) = (task.name(), tally.images.len());
        [
            Figure::points(name, tally.score(), tally.answers),
            Figure::percent(format!("{name} acc"), tally.accuracy(), tally.answers),
            Figure::percent(format!("{name} acc+"), tally.accuracy_plus(), images),
        ]
    });
    sums.chain(tasks).collect()
}
