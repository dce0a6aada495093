//! A benchmark over all answers of a data set.

#[cfg(feature = "bench")]
use menagerie_core::benchmark::Figure;
use menagerie_core::benchmark::{Answer, AnyBenchmark, Marked};

use super::answer::Answered;
use super::error::EvalError;
use crate::data::Dataset;

/// Marks answers to questions of `data`, and adds up the marks.
pub(crate) struct Marker<'a> {
    /// The benchmark's name.
    pub name: &'a str,
    pub benchmark: &'a dyn AnyBenchmark,
    pub data: &'a Dataset,
}

/// What was said to a question.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    /// The question's place in the data.
    pub sample: usize,
    pub answer: Answer<'a>,
}

impl<'a> Marker<'a> {
    /// Writes down how good each answer is; gives the score and, if it was asked for, the blind one.
    pub(super) fn score(&self, answers: &mut [Answered]) -> Result<(f64, Option<f64>), EvalError> {
        let seen = answers.iter();
        let seen = seen.map(|answered| said(answered.sample, &answered.answer));
        let marked = self.mark(seen)?;
        let score = self.total(&marked)?;
        let marks: Vec<f64> = marked.iter().map(|marked| marked.mark).collect();
        let blind: Option<Vec<_>> = answers
            .iter()
            .map(|answered| Some(said(answered.sample, answered.blind.as_deref()?)))
            .collect();
        let blind = blind.filter(|blind| !blind.is_empty());
        let blind = blind.map(|blind| self.total(&self.mark(blind)?));
        let blind = blind.transpose()?;
        for (answered, mark) in answers.iter_mut().zip(marks) {
            answered.correct = mark >= 0.5;
            answered.mark = (mark != 0.0 && mark != 1.0).then_some(mark);
        }
        Ok((score, blind))
    }

    /// How good each answer is.
    pub(crate) fn mark(
        &self,
        said: impl IntoIterator<Item = Said<'a>>,
    ) -> Result<Vec<Marked<'a>>, EvalError> {
        let mark = |Said { sample, answer }: Said<'a>| {
            let question = self.data.sample(sample).question();
            let mark = self.benchmark.mark(&question, &answer);
            if !(0.0..=1.0).contains(&mark) {
                return Err(EvalError::Mark {
                    benchmark: self.name.to_owned(),
                    id: question.id.to_owned(),
                    mark,
                });
            }
            let fault = self.benchmark.fault(&question, &answer);
            Ok(Marked::new(question, answer, mark, fault))
        };
        said.into_iter().map(mark).collect()
    }

    /// The score of all answers.
    pub(crate) fn total(&self, marked: &[Marked<'_>]) -> Result<f64, EvalError> {
        let total = self.benchmark.total(marked);
        // A mark that is no number would make a score of it too.
        if total.is_finite() && total >= 0.0 {
            return Ok(total);
        }
        Err(self.no_number("score", total, marked))
    }

    /// Everything that is reported of them.
    #[cfg(feature = "bench")]
    pub(crate) fn figures(&self, marked: &[Marked<'_>]) -> Result<Vec<Figure>, EvalError> {
        let figures = self.benchmark.figures(marked);
        match figures.iter().find(|figure| !figure.value.is_finite()) {
            Some(wrong) => Err(self.no_number(&wrong.name, wrong.value, marked)),
            None => Ok(figures),
        }
    }

    fn no_number(&self, what: &str, value: f64, marked: &[Marked<'_>]) -> EvalError {
        EvalError::NoNumber {
            benchmark: self.name.to_owned(),
            what: what.to_owned(),
            answers: marked.len(),
            value,
        }
    }
}

/// An answer that nobody judged.
fn said(sample: usize, answer: &str) -> Said<'_> {
    Said {
        sample,
        answer: Answer::new(answer),
    }
}

#[cfg(test)]
mod tests {
    use menagerie_core::benchmark::{Benchmark, Example, Question};
    use menagerie_core::recipe::DataSource;
    use menagerie_core::schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;
    use crate::eval::Exact;

    /// Marks by the number of letters.
    #[derive(Debug, Default, Deserialize, JsonSchema)]
    #[schemars(crate = "menagerie_core::schemars")]
    struct Letters {}

    impl Benchmark for Letters {
        const NAME: &'static str = "letters";

        fn example() -> Example {
            Example::new("how many?", "aaaa", "a")
        }

        fn mark(&self, _question: &Question<'_>, answer: &Answer<'_>) -> f64 {
            answer.text.len() as f64 / 4.0
        }
    }

    fn data() -> Dataset {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("data.json");
        let sample = r#"{ "id": "a", "conversations": [
            { "from": "human", "value": "which?" }, { "from": "gpt", "value": "red" }] }"#;
        std::fs::write(&file, format!("[{}]", [sample; 4].join(","))).expect("written");
        let source = DataSource {
            paths: vec![file],
            ..DataSource::default()
        };
        Dataset::open(&source).expect("data")
    }

    fn answers(said: [(&str, Option<&str>); 4]) -> Vec<Answered> {
        let said = said.into_iter().enumerate();
        said.map(|(sample, (answer, blind))| Answered {
            answer: answer.to_owned(),
            blind: blind.map(str::to_owned),
            sample,
            ..Answered::default()
        })
        .collect()
    }

    #[test]
    fn the_blind_score_is_of_the_blind_answers() {
        let data = data();
        let marker = Marker {
            name: Exact::NAME,
            benchmark: &Exact {},
            data: &data,
        };
        let mut said = answers([
            ("red", Some("blue")),
            ("blue", Some("Red")),
            ("red", Some("no")),
            ("Red.", Some("no")),
        ]);
        assert_eq!(marker.score(&mut said).expect("marks"), (0.75, Some(0.25)));
        let correct: Vec<bool> = said.iter().map(|answered| answered.correct).collect();
        assert_eq!(correct, [true, false, true, true]);
        assert!(said.iter().all(|answered| answered.mark.is_none()));
        said[3].blind = None;
        assert_eq!(marker.score(&mut said).expect("marks"), (0.75, None));
        assert_eq!(marker.score(&mut []).expect("marks"), (0.0, None));
    }

    #[test]
    fn marks_between_are_kept_and_others_are_refused() {
        let data = data();
        let marker = Marker {
            name: Letters::NAME,
            benchmark: &Letters {},
            data: &data,
        };
        let mut said = answers([("", None), ("a", None), ("bbb", None), ("cccc", None)]);
        assert_eq!(marker.score(&mut said).expect("marks"), (0.5, None));
        let marks: Vec<_> = said.iter().map(|said| (said.correct, said.mark)).collect();
        let expected = [
            (false, None),
            (false, Some(0.25)),
            (true, Some(0.75)),
            (true, None),
        ];
        assert_eq!(marks, expected);
        said[1].answer = "ddddd".to_owned();
        let error = marker.score(&mut said).unwrap_err().to_string();
        let message = "the benchmark `letters` gives an answer to question `a` the mark 1.25; marks \
                       are from 0 to 1";
        assert_eq!(error, message);
    }
}
