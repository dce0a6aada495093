//! What a run writes as it goes: lines of JSON, and the same for TensorBoard.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::TrainError;
use super::files::{append, json_line, write_error};
use super::history::History;
use super::metrics::{Score, ScoreTiming, StepMetrics, StepTiming};
use super::tensorboard::TensorBoard;
use super::timeline::Timeline;
use crate::eval::Evaluation;

/// `metrics.jsonl`, `timings.jsonl`, `scores.jsonl` and `tensorboard/`, each a line or an event at
/// a time.
pub(super) struct RunLog {
    run: PathBuf,
    metrics: Lines,
    timings: Lines,
    board: TensorBoard,
    /// Answers that TensorBoard shows of each score.
    samples: usize,
}

/// What is to be logged.
pub(super) struct LogPlan<'a> {
    /// All stages with their steps.
    pub timeline: &'a Timeline,
    /// Steps that are done already, counted over all stages: 0, unless the run is resumed.
    pub first: usize,
    /// The recipe, resolved.
    pub recipe: &'a str,
    /// Answers that TensorBoard shows of each score.
    pub samples: usize,
}

impl RunLog {
    /// Opens the files of the folder `run` to add to them. Lines that a resumed run does not
    /// continue must be gone already.
    pub(super) fn open(run: &Path, plan: &LogPlan<'_>) -> Result<Self, TrainError> {
        let mut board = TensorBoard::open(run, plan.timeline, plan.first, plan.recipe)?;
        if plan.first > 0 {
            // TensorBoard drops what earlier files have from this step on, a score taken right
            // before the checkpoint too.
            for score in History::read(run)?.scores {
                if plan.timeline.at(&score.stage, score.step) >= Some(plan.first) {
                    board.score(&score, &[])?;
                }
            }
        }
        Ok(Self {
            run: run.to_owned(),
            metrics: Lines::open(run.join("metrics.jsonl"))?,
            timings: Lines::open(run.join("timings.jsonl"))?,
            board,
            samples: plan.samples,
        })
    }

    pub(super) fn step(
        &mut self,
        metrics: &StepMetrics,
        timing: &StepTiming,
    ) -> Result<(), TrainError> {
        self.metrics.push(metrics)?;
        self.timings.push(timing)?;
        self.board.step(metrics, timing)
    }

    pub(super) fn score(
        &mut self,
        score: &Score,
        evaluation: &Evaluation,
    ) -> Result<(), TrainError> {
        Lines::open(self.run.join("scores.jsonl"))?.push(score)?;
        self.timings.push(&ScoreTiming {
            stage: score.stage.clone(),
            step: score.step,
            score_seconds: evaluation.seconds,
        })?;
        self.board.score(score, &evaluation.some(self.samples))
    }
}

/// A file of JSON lines that grows.
struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    fn open(path: PathBuf) -> Result<Self, TrainError> {
        let file = append(&path)?;
        Ok(Self { path, file })
    }

    fn push(&mut self, line: &impl Serialize) -> Result<(), TrainError> {
        self.file
            .write_all(&json_line(line))
            .map_err(|source| write_error(&self.path, source))
    }
}
