//! `RUN/tensorboard/`: the same curves for TensorBoard.
//!
//! Each process writes a file of its own, which begins by saying from which step on it counts: a
//! resumed run goes on from its checkpoint, and TensorBoard drops what came after it before. Steps
//! run over all stages.

mod event;
mod record;

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use super::error::TrainError;
use super::files::write_error;
use super::metrics::{Score, StepMetrics, StepTiming};
use super::timeline::Timeline;
use crate::eval::Answered;
use event::{Event, Value, What};
use record::record;

/// The beginning of a file's name by which TensorBoard finds it.
const PREFIX: &str = "events.out.tfevents.";

/// The event file of this process.
#[derive(Debug)]
pub(super) struct TensorBoard {
    path: PathBuf,
    file: File,
    timeline: Timeline,
}

impl TensorBoard {
    /// Begins a file in `run`, for the steps of `timeline` from `first` on.
    pub(super) fn open(
        run: &Path,
        timeline: &Timeline,
        first: usize,
        recipe: &str,
    ) -> Result<Self, TrainError> {
        let folder = run.join("tensorboard");
        fs::create_dir_all(&folder).map_err(|source| write_error(&folder, source))?;
        let (path, file) = create(&folder)?;
        let mut board = Self {
            path,
            file,
            timeline: timeline.clone(),
        };
        board.push(0, What::version())?;
        board.push(first, What::start())?;
        let recipe = Value::text("recipe", &format!("```toml\n{recipe}\n```\n"));
        board.push(first, What::summary(vec![recipe]))?;
        Ok(board)
    }

    pub(super) fn step(
        &mut self,
        metrics: &StepMetrics,
        timing: &StepTiming,
    ) -> Result<(), TrainError> {
        let step = self.timeline.at(&metrics.stage, metrics.step);
        self.push(
            step.unwrap_or(metrics.step),
            What::summary(step_values(metrics, timing)),
        )
    }

    /// A score, and some of the answers that it is the share of.
    pub(super) fn score(&mut self, score: &Score, answers: &[&Answered]) -> Result<(), TrainError> {
        let step = self.timeline.at(&score.stage, score.step);
        self.push(
            step.unwrap_or(score.step),
            What::summary(score_values(score, answers)),
        )
    }

    /// Events go to the file at once: a watcher sees them, and a killed run loses none.
    fn push(&mut self, step: usize, what: What) -> Result<(), TrainError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let bytes = encode(now.unwrap_or_default().as_secs_f64(), step, what);
        self.file
            .write_all(&bytes)
            .map_err(|source| write_error(&self.path, source))
    }
}

/// A new file whose name sorts after those that are there: TensorBoard reads them in that order.
fn create(folder: &Path) -> Result<(PathBuf, File), TrainError> {
    let entries = fs::read_dir(folder).map_err(|source| write_error(folder, source))?;
    let times = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let time = name.strip_prefix(PREFIX)?.split('.').next()?;
        time.parse::<u64>().ok()
    });
    let last = times.max();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    let time = last.map_or(now, |last| now.max(last + 1));
    let path = folder.join(format!("{PREFIX}{time:010}.menagerie"));
    let file = OpenOptions::new().create_new(true).append(true).open(&path);
    match file {
        Ok(file) => Ok((path, file)),
        Err(source) => Err(write_error(&path, source)),
    }
}

fn encode(wall_time: f64, step: usize, what: What) -> Vec<u8> {
    let event = Event {
        wall_time,
        step: i64::try_from(step).unwrap_or(i64::MAX),
        what: Some(what),
    };
    record(&event.encode_to_vec())
}

fn step_values(metrics: &StepMetrics, timing: &StepTiming) -> Vec<Value> {
    let mut values = vec![
        Value::scalar("train/loss", metrics.loss),
        Value::scalar("train/grad_norm", metrics.grad_norm),
        Value::scalar("train/lr", metrics.lr),
        Value::scalar(
            "train/tokens_per_second",
            metrics.tokens as f64 / timing.seconds,
        ),
        Value::scalar("train/wait_share", timing.wait_seconds / timing.seconds),
    ];
    if let Some(bytes) = timing.resident_bytes {
        values.push(Value::scalar("train/resident_bytes", bytes as f64));
    }
    values
}

fn score_values(score: &Score, answers: &[&Answered]) -> Vec<Value> {
    let mut values = vec![Value::scalar("eval/score", score.score)];
    values.extend(score.blind.map(|blind| Value::scalar("eval/blind", blind)));
    if !answers.is_empty() {
        let mut table = "| question | truth | answer |\n| --- | --- | --- |\n".to_owned();
        for answered in answers {
            let mark = if answered.correct { "✓" } else { "✗" };
            let [question, truth, answer] =
                [&answered.question, &answered.truth, &answered.answer].map(|text| cell(text));
            writeln!(table, "| {question} | {truth} | {mark} {answer} |")
                .expect("a string takes any text");
        }
        values.push(Value::text("eval/answers", &table));
    }
    values
}

/// A text as a table's cell holds it.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace(['\n', '\r'], " ")
}

#[cfg(test)]
#[path = "tensorboard/tests.rs"]
mod tests;
