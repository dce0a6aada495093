//! What a run writes as it goes: lines of JSON, and the same for TensorBoard.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::error::TrainError;
use super::files::{append, json_line, write_error};
use super::history::History;
use super::metrics::{Score, ScoreTiming, StepMetrics, StepTiming};
use super::tensorboard::TensorBoard;
use super::timeline::Timeline;
use crate::eval::Evaluation;

/// How long somebody who looks whether a run goes on may hold its lock, and how often that is
/// waited for.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: usize = 50;

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
        let metrics = Lines::open(run.join("metrics.jsonl"))?;
        metrics.hold()?;
        Ok(Self {
            run: run.to_owned(),
            metrics,
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

    /// Locks the file until the process ends, however it ends: others see that the run goes on, and
    /// no second process writes into it. A file system without locks leaves them in doubt, and is
    /// no reason to end.
    fn hold(&self) -> Result<(), TrainError> {
        for _ in 0..LOOKS {
            match self.file.try_lock() {
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(()),
            }
        }
        Err(TrainError::InUse(self.path.clone()))
    }

    fn push(&mut self, line: &impl Serialize) -> Result<(), TrainError> {
        self.file
            .write_all(&json_line(line))
            .map_err(|source| write_error(&self.path, source))
    }
}
