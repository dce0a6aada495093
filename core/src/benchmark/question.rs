//! Questions, answers and marks.

use serde_json::{Map, Value};

use crate::chat::{IMAGE_MARK, Turn};

/// A question with its known answer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Question<'a> {
    /// The sample's id.
    pub id: &'a str,
    /// What is said before the answer, as the data has it; the last turn is the question.
    pub turns: &'a [Turn],
    /// The right answer.
    pub truth: &'a str,
    /// What else the benchmark's data say of the question, as it read them; `None` where they are
    /// no files of its own.
    pub fields: Option<&'a Map<String, Value>>,
}

impl<'a> Question<'a> {
    /// Of a sample's id, its turns without the answer, and that answer.
    #[must_use]
    pub fn new(id: &'a str, turns: &'a [Turn], truth: &'a str) -> Self {
        Self {
            id,
            turns,
            truth,
            fields: None,
        }
    }

    /// With what else is known of it.
    #[must_use]
    pub fn with_fields(self, fields: &'a Map<String, Value>) -> Self {
        Self {
            fields: Some(fields),
            ..self
        }
    }

    /// One of its further fields.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a Value> {
        self.fields?.get(name)
    }

    /// One of its further fields that is a text; empty if it is not there.
    #[must_use]
    pub fn word(&self, name: &str) -> &'a str {
        self.field(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The last turn without its image marks.
    #[must_use]
    pub fn text(&self) -> String {
        let last = self.turns.last().map_or("", |turn| turn.text.as_str());
        last.replace(IMAGE_MARK, "").trim().to_owned()
    }

    /// Images of all turns.
    #[must_use]
    pub fn images(&self) -> usize {
        self.turns.iter().map(Turn::images).sum()
    }
}

/// What a model said, and what a judge said of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer<'a> {
    /// What the model said, trimmed.
    pub text: &'a str,
    /// The judge's reply, if one was asked and did reply.
    pub review: Option<&'a str>,
}

impl<'a> Answer<'a> {
    /// An answer that nobody judged.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self { text, review: None }
    }

    /// With the judge's reply.
    #[must_use]
    pub const fn reviewed(self, review: Option<&'a str>) -> Self {
        Self { review, ..self }
    }
}

/// An answer with its mark.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Marked<'a> {
    /// What was asked.
    pub question: Question<'a>,
    /// What was said.
    pub answer: Answer<'a>,
    /// [`Benchmark::mark`](super::Benchmark::mark) of it.
    pub mark: f64,
    /// [`Benchmark::fault`](super::Benchmark::fault) of it.
    pub fault: Option<&'static str>,
}

impl<'a> Marked<'a> {
    /// Of an answer, its mark and its fault.
    #[must_use]
    pub fn new(
        question: Question<'a>,
        answer: Answer<'a>,
        mark: f64,
        fault: Option<&'static str>,
    ) -> Self {
        Self {
            question,
            answer,
            mark,
            fault,
        }
    }
}

/// The mean of all marks; 0 if there are none.
#[must_use]
pub fn mean(answers: &[Marked<'_>]) -> f64 {
    let sum: f64 = answers.iter().map(|answer| answer.mark).sum();
    sum / answers.len().max(1) as f64
}

/// A question with its truth and a wrong answer.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Example {
    /// The human's turn; [`IMAGE_MARK`] stands where an image is meant.
    pub question: String,
    /// The right answer, as the data states it. A model that says it gets the mark 1.
    pub truth: String,
    /// An answer that gets less.
    pub wrong: String,
    /// What else the data say of it.
    pub fields: Map<String, Value>,
    /// A judge's replies to the truth and to the wrong answer, for a benchmark that has a judge.
    pub reviews: Option<[String; 2]>,
}

impl Example {
    /// Of the three texts.
    pub fn new(
        question: impl Into<String>,
        truth: impl Into<String>,
        wrong: impl Into<String>,
    ) -> Self {
        Self {
            question: question.into(),
            truth: truth.into(),
            wrong: wrong.into(),
            ..Self::default()
        }
    }

    /// With what else the data say.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// With a judge's replies to the truth and to the wrong answer.
    #[must_use]
    pub fn with_reviews(self, truth: impl Into<String>, wrong: impl Into<String>) -> Self {
        Self {
            reviews: Some([truth.into(), wrong.into()]),
            ..self
        }
    }
}
