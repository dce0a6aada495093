//! Answers that others made.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use menagerie_core::benchmark::Prediction;
use serde::{Deserialize, Serialize};

use super::answers::Kept;
use super::error::BenchError;
use super::exam::Exam;
use super::files::read_error;
use crate::data::DataFile;

/// Ids that an error quotes.
const QUOTED: usize = 5;

/// How a file of answers fits the questions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fit {
    /// Questions without an answer, which are in no figure.
    pub missing: usize,
    /// Answers to no question that is asked.
    pub unknown: usize,
    /// Some of their ids.
    pub unknown_ids: Vec<String>,
}

/// Answers with their questions.
pub(super) struct Predictions {
    pub answers: Vec<Kept>,
    /// Reviews that came with them, by the place of the question.
    pub reviews: BTreeMap<usize, String>,
    pub fit: Fit,
}

/// The file itself.
pub(super) fn file(path: &Path) -> Result<DataFile, BenchError> {
    DataFile::of(path).map_err(|source| read_error(path, source))
}

/// Reads the answers of `path`. Unless `partial`, every question must have one.
pub(super) fn read(exam: &Exam, path: &Path, partial: bool) -> Result<Predictions, BenchError> {
    let places = places(exam)?;
    let mut found: BTreeMap<usize, Prediction> = BTreeMap::new();
    let mut fit = Fit::default();
    let predictions = exam.benchmark.predictions(path)?;
    for prediction in predictions {
        let Some(&place) = places.get(prediction.id.as_str()) else {
            fit.unknown += 1;
            if fit.unknown_ids.len() < QUOTED {
                fit.unknown_ids.push(prediction.id);
            }
            continue;
        };
        if let Some(other) = found.insert(place, prediction) {
            return Err(BenchError::Twice {
                path: path.to_owned(),
                id: other.id,
            });
        }
    }
    let total = exam.count();
    let ids = exam.questions().iter().map(|question| question.id.clone());
    if found.is_empty() {
        return Err(BenchError::OtherQuestions {
            path: path.to_owned(),
            found: fit.unknown_ids,
            wanted: ids.take(QUOTED).collect(),
        });
    }
    fit.missing = total - found.len();
    if fit.missing > 0 && !partial {
        let missing = ids
            .enumerate()
            .filter(|(place, _)| !found.contains_key(place));
        return Err(BenchError::Unanswered {
            path: path.to_owned(),
            count: fit.missing,
            total,
            first: missing.map(|(_, id)| id).take(QUOTED).collect(),
        });
    }
    let mut reviews = BTreeMap::new();
    let mut answers = Vec::with_capacity(found.len());
    for (number, prediction) in found {
        reviews.extend(prediction.review.map(|review| (number, review)));
        let question = exam.data.sample(number).question();
        answers.push(Kept {
            number,
            id: question.id.to_owned(),
            question: question.text(),
            truth: question.truth.to_owned(),
            answer: prediction.answer.trim().to_owned(),
            blind: None,
        });
    }
    Ok(Predictions {
        answers,
        reviews,
        fit,
    })
}

/// The places of the questions by what others may call them: their id, and that of their sample where
/// it has no other question.
fn places(exam: &Exam) -> Result<HashMap<&str, usize>, BenchError> {
    let mut places = HashMap::new();
    for (place, question) in exam.questions().iter().enumerate() {
        if places.insert(question.id.as_str(), place).is_some() {
            return Err(BenchError::RepeatedId(question.id.clone()));
        }
    }
    let mut stems: HashMap<&str, Option<usize>> = HashMap::new();
    for (place, question) in exam.questions().iter().enumerate() {
        if let Some((stem, _)) = question.id.rsplit_once('#') {
            let only = stems.entry(stem).or_insert(Some(place));
            *only = only.filter(|only| *only == place);
        }
    }
    for (stem, place) in stems {
        if let Some(place) = place {
            places.entry(stem).or_insert(place);
        }
    }
    Ok(places)
}
