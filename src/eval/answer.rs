//! Answers and their score.

use serde::{Deserialize, Serialize};

/// A question with its truth and what the model said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether it is right.
    pub correct: bool,
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
}

impl Evaluation {
    /// Share of right answers, 0-1.
    pub fn score(&self) -> f64 {
        self.share(|answered| answered.correct)
    }

    /// Share of right answers without seeing, if that was asked.
    pub fn blind_score(&self) -> Option<f64> {
        let asked = self.answers.iter().all(|answered| answered.blind.is_some());
        let right = |answered: &Answered| {
            let blind = answered.blind.as_deref().unwrap_or_default();
            normalise(blind) == normalise(&answered.truth)
        };
        (asked && !self.answers.is_empty()).then(|| self.share(right))
    }

    /// `count` of the answers, spread evenly over all of them.
    pub fn some(&self, count: usize) -> Vec<&Answered> {
        spread(self.answers.len(), count)
            .map(|index| &self.answers[index])
            .collect()
    }

    fn share(&self, right: impl Fn(&Answered) -> bool) -> f64 {
        let count = self
            .answers
            .iter()
            .filter(|answered| right(answered))
            .count();
        count as f64 / self.answers.len().max(1) as f64
    }
}

/// `count` of `total` places: the middle of each of `count` equal parts.
pub(crate) fn spread(total: usize, count: usize) -> impl Iterator<Item = usize> {
    let count = count.min(total);
    (0..count).map(move |number| (2 * number + 1) * total / (2 * count))
}

/// An answer as it is compared: trimmed, in lower case, without a full stop at the end.
#[must_use]
pub fn normalise(answer: &str) -> String {
    let trimmed = answer.trim();
    trimmed
        .strip_suffix('.')
        .unwrap_or(trimmed)
        .trim_end()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_space_and_a_full_stop_do_not_matter() {
        assert_eq!(normalise(" Red. "), normalise("red"));
        assert_ne!(normalise("reddish"), normalise("red"));
        assert_ne!(normalise(""), normalise("red"));
    }

    #[test]
    fn the_blind_score_is_of_the_blind_answers() {
        let answered = |answer: &str, blind: &str| Answered {
            id: String::new(),
            question: String::new(),
            truth: "red".to_owned(),
            answer: answer.to_owned(),
            correct: normalise(answer) == "red",
            blind: Some(blind.to_owned()),
            sample: 0,
        };
        let answers = vec![
            answered("red", "blue"),
            answered("blue", "Red"),
            answered("red", "no"),
            answered("red", "no"),
        ];
        let evaluation = Evaluation {
            answers,
            seconds: 1.0,
        };
        assert!((evaluation.score() - 0.75).abs() < 1e-12);
        assert_eq!(evaluation.blind_score(), Some(0.25));
    }
}
