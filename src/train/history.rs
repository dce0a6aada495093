//! What a run told of itself, read back: also of one that was killed in the middle of a line.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::TrainError;
use super::metrics::{Score, ScoreTiming, StepMetrics, StepTiming};
use crate::eval::Answered;

/// The lines of a run folder's `metrics.jsonl`, `timings.jsonl` and `scores.jsonl`.
///
/// A file that is missing has no lines. A line that cannot be read, such as the last one of a
/// killed run, is left out. Where a step or score has several, the last one counts.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct History {
    /// In the order of the steps.
    pub metrics: Vec<StepMetrics>,
    /// Of the steps that have one, in their order.
    pub timings: Vec<StepTiming>,
    /// In the order in which they were taken.
    pub scores: Vec<Score>,
    /// Of the scores that have one.
    pub score_timings: Vec<ScoreTiming>,
}

impl History {
    /// Reads the folder `run`.
    ///
    /// # Errors
    /// A file is there and cannot be read.
    pub fn read(run: &Path) -> Result<Self, TrainError> {
        let timings = text(&run.join("timings.jsonl"))?;
        Ok(Self {
            metrics: lines(&text(&run.join("metrics.jsonl"))?, |line: &StepMetrics| {
                (line.stage.clone(), line.step)
            }),
            timings: lines(&timings, |line: &StepTiming| {
                (line.stage.clone(), line.step)
            }),
            scores: lines(&text(&run.join("scores.jsonl"))?, |line: &Score| {
                (line.stage.clone(), line.step)
            }),
            score_timings: lines(&timings, |line: &ScoreTiming| {
                (line.stage.clone(), line.step)
            }),
        })
    }

    /// The score that the best weights are chosen by: the highest, and the first of equal ones.
    pub fn best(&self) -> Option<&Score> {
        self.scores.iter().reduce(|best, score| {
            if score.score > best.score {
                score
            } else {
                best
            }
        })
    }

    /// All questions of `score` with their answers, in the order of the data; `None` if they are
    /// not there. `answers/STAGE-STEP.jsonl`, or `answers/STAGE.jsonl` at the end of a stage.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn answers(&self, run: &Path, score: &Score) -> Result<Option<Vec<Answered>>, TrainError> {
        let Score { stage, step, .. } = score;
        let folder = run.join("answers");
        let own = folder.join(format!("{stage}-{step}.jsonl"));
        let mut of_stage = self.scores.iter().rev();
        let last = of_stage.find(|other| other.stage == *stage);
        let path = if own.is_file() {
            own
        } else if last == Some(score) {
            folder.join(format!("{stage}.jsonl"))
        } else {
            return Ok(None);
        };
        let mut answers: Vec<Answered> = text(&path)?
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        for (sample, answered) in answers.iter_mut().enumerate() {
            answered.sample = sample;
        }
        Ok((answers.len() == score.questions).then_some(answers))
    }
}

/// A file's text, with a mark in place of bytes that are none; empty if there is no file.
fn text(path: &Path) -> Result<String, TrainError> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(TrainError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The lines that are a `T`, in the order in which their keys were first seen, each key's last.
fn lines<T: DeserializeOwned>(text: &str, key: impl Fn(&T) -> (String, usize)) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    let mut places = HashMap::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<T>(line) else {
            continue;
        };
        let place = *places.entry(key(&line)).or_insert(found.len());
        if place == found.len() {
            found.push(line);
        } else {
            found[place] = line;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(stage: &str, step: usize, score: f64) -> Score {
        Score {
            stage: stage.to_owned(),
            step,
            questions: 1,
            score,
            blind: None,
        }
    }

    #[test]
    fn a_torn_line_is_left_out_and_the_last_of_a_step_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let timing = |step: usize, seconds: f64| {
            format!(r#"{{"stage":"a","step":{step},"seconds":{seconds},"wait_seconds":0.0}}"#)
        };
        let text = [
            timing(0, 1.0),
            timing(1, 2.0),
            r#"{"stage":"a","step":2,"score_seconds":9.0}"#.to_owned(),
            timing(1, 3.0),
            r#"{"stage":"a","st"#.to_owned(),
        ];
        let mut bytes = text.join("\n").into_bytes();
        bytes.extend([0xff, 0xfe]);
        fs::write(folder.path().join("timings.jsonl"), bytes).expect("written");
        let history = History::read(folder.path()).expect("read");
        let seconds: Vec<f64> = history.timings.iter().map(|line| line.seconds).collect();
        assert_eq!(seconds, [1.0, 3.0]);
        assert_eq!(history.score_timings.len(), 1);
        assert!(history.metrics.is_empty() && history.best().is_none());
    }

    #[test]
    fn the_best_score_is_the_first_of_the_highest() {
        let history = History {
            scores: vec![
                score("a", 1, 0.5),
                score("a", 2, 0.75),
                score("b", 1, 0.75),
                score("b", 2, 0.25),
            ],
            ..History::default()
        };
        assert_eq!(history.best(), Some(&history.scores[1]));
    }
}
