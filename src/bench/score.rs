//! `score.json`: all figures of a run, and what they are of.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};
use std::time::{SystemTime, UNIX_EPOCH};

use menagerie_core::benchmark::{Answer, Figure, Marked};
use serde::{Deserialize, Serialize};

use super::about::About;
use super::answers::Kept;
use super::error::BenchError;
use super::exam::Exam;
use super::files::{read_error, write_error, write_whole};
use super::judge::Judged;
use super::predictions::Fit;
use crate::eval::Said;
use crate::json::{json_line, pretty_json};

/// The file's name.
pub(super) const SCORE: &str = "score.json";

/// All figures of a run, and what they are of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Score {
    /// What was asked of whom.
    #[serde(flatten)]
    pub about: About,
    /// The benchmark's one score, where 0 is worst and 1 is as good as the truth.
    pub score: f64,
    /// All that is reported, the headline first.
    pub figures: Vec<Figure>,
    /// Answers that are in it.
    pub answers: usize,
    /// Answers that could not be read as one, by reason.
    pub faults: BTreeMap<String, usize>,
    /// The same questions with grey images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<Blind>,
    /// How a file of answers fits the questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// How the judging went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// Seconds that it took.
    pub seconds: Took,
    /// When it was taken, in seconds since 1970.
    pub unix_seconds: u64,
}

/// What a model knows without looking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Blind {
    /// As [`Score::score`].
    pub score: f64,
    /// As [`Score::figures`].
    pub figures: Vec<Figure>,
    /// As [`Score::faults`].
    pub faults: BTreeMap<String, usize>,
}

/// Seconds that a run took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Took {
    /// Answering, over all processes that took part in it.
    pub answering: f64,
    /// Judging, in the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judging: Option<f64>,
}

/// A line of `marks.jsonl`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    id: &'a str,
    mark: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blind: Option<f64>,
}

impl Score {
    /// That of a run: its folder, or the file itself.
    ///
    /// # Errors
    /// There is none, or it is something else.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let file = if path.is_dir() {
            path.join(SCORE)
        } else {
            path.to_owned()
        };
        if path.is_dir() && !file.is_file() {
            let begun = path.join(super::folder::RUN).is_file();
            let reason = if begun {
                "it has no score yet; go on with its `menagerie bench run`"
            } else {
                "it is no benchmark's run"
            };
            return Err(BenchError::NoScore {
                path: path.to_owned(),
                reason: reason.to_owned(),
            });
        }
        let bytes = fs::read(&file).map_err(|source| read_error(&file, source))?;
        serde_json::from_slice(&bytes).map_err(|error| BenchError::NoScore {
            path: file,
            reason: format!("it is no benchmark's score: {error}"),
        })
    }

    /// Adds the marks up.
    pub(super) fn new(exam: &Exam, about: About, marks: &Marks<'_>) -> Result<Self, BenchError> {
        let marker = exam.marker();
        let blind = marks.blind.as_ref().map(|marked| {
            Ok::<_, BenchError>(Blind {
                score: marker.total(marked)?,
                figures: marker.figures(marked)?,
                faults: faults(marked),
            })
        });
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Self {
            about,
            score: marker.total(&marks.seen)?,
            figures: marker.figures(&marks.seen)?,
            answers: marks.seen.len(),
            faults: faults(&marks.seen),
            blind: blind.transpose()?,
            fit: None,
            judged: None,
            seconds: Took::default(),
            unix_seconds: now.unwrap_or_default().as_secs(),
        })
    }

    /// Writes the marks, the files for the benchmark's authors, and at last the score.
    pub(super) fn write(
        &self,
        exam: &Exam,
        marks: &Marks<'_>,
        folder: &Path,
    ) -> Result<(), BenchError> {
        let lines = marks.seen.iter().enumerate().flat_map(|(place, marked)| {
            json_line(&Line {
                id: marked.question.id,
                mark: marked.mark,
                fault: marked.fault,
                blind: marks.blind.as_ref().map(|blind| blind[place].mark),
            })
        });
        write_whole(&folder.join("marks.jsonl"), &lines.collect::<Vec<u8>>())?;
        for file in exam.benchmark.submission(&marks.seen) {
            let mut parts = file.name.components();
            if !parts.all(|part| matches!(part, Component::Normal(_))) {
                return Err(BenchError::Submission {
                    benchmark: exam.plugin.name.to_owned(),
                    name: file.name,
                });
            }
            let path = folder.join("submission").join(&file.name);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(|source| write_error(parent, source))?;
            write_whole(&path, &file.bytes)?;
        }
        write_whole(&folder.join(SCORE), &pretty_json(self))
    }
}

/// All answers with their marks.
pub(super) struct Marks<'a> {
    seen: Vec<Marked<'a>>,
    /// Those without seeing, if they were asked for.
    blind: Option<Vec<Marked<'a>>>,
}

impl<'a> Marks<'a> {
    pub(super) fn of(
        exam: &'a Exam,
        answers: &'a [Kept],
        reviews: &'a BTreeMap<usize, String>,
    ) -> Result<Self, BenchError> {
        let marker = exam.marker();
        let blind = blind(answers).map(|blind| marker.mark(blind));
        Ok(Self {
            seen: marker.mark(said(answers, reviews))?,
            blind: blind.transpose()?,
        })
    }
}

fn said<'a>(
    answers: &'a [Kept],
    reviews: &'a BTreeMap<usize, String>,
) -> impl Iterator<Item = Said<'a>> {
    answers.iter().map(|kept| {
        let review = reviews.get(&kept.number).map(String::as_str);
        Said {
            sample: kept.number,
            answer: Answer::new(&kept.answer).reviewed(review),
        }
    })
}

/// The answers without seeing, if these were asked for.
fn blind(answers: &[Kept]) -> Option<Vec<Said<'_>>> {
    let all: Option<Vec<Said<'_>>> = answers
        .iter()
        .map(|kept| {
            Some(Said {
                sample: kept.number,
                answer: Answer::new(kept.blind.as_deref()?),
            })
        })
        .collect();
    all.filter(|all| !all.is_empty())
}

fn faults(marked: &[Marked<'_>]) -> BTreeMap<String, usize> {
    let mut faults = BTreeMap::new();
    for fault in marked.iter().filter_map(|marked| marked.fault) {
        *faults.entry(fault.to_owned()).or_default() += 1;
    }
    faults
}
