//! Answers and their score.

use serde::{Deserialize, Serialize};

/// A question with its truth and what the model said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answered {
    /// The sample's id.
    pub id: String,
    /// The question, without its image marks.
    pub question: String,
    /// The right answer.
    pub truth: String,
    /// The model's answer.
    pub answer: String,
    /// Whether it is right: the benchmark's mark is a half or more.
    pub correct: bool,
    /// The benchmark's mark, if it is neither 0 nor 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<f64>,
    /// The answer to the same question with grey images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<String>,
    /// Number of the sample in its data set.
    #[serde(skip)]
    pub sample: usize,
}

/// All answers of a score.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// In the order of the data.
    pub answers: Vec<Answered>,
    /// Wall-clock time.
    pub seconds: f64,
    pub(super) score: f64,
    pub(super) blind_score: Option<f64>,
}

impl Evaluation {
    /// The benchmark's score, 0-1: by default the share of right answers.
    pub fn score(&self) -> f64 {
        self.score
    }

    /// The score of the answers without seeing, if these were asked for.
    pub fn blind_score(&self) -> Option<f64> {
        self.blind_score
    }

    /// `count` of the answers, spread evenly over all of them.
    pub fn some(&self, count: usize) -> Vec<&Answered> {
        spread(self.answers.len(), count)
            .map(|index| &self.answers[index])
            .collect()
    }
}

/// `count` of `total` places: the middle of each of `count` equal parts.
pub(crate) fn spread(total: usize, count: usize) -> impl Iterator<Item = usize> {
    let count = count.min(total);
    (0..count).map(move |number| (2 * number + 1) * total / (2 * count))
}
