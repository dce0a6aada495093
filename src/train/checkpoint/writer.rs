//! Writing checkpoints beside the training.

use std::path::PathBuf;
use std::thread::JoinHandle;

use super::folder::Checkpoints;
use super::snapshot::Snapshot;
use super::standing::Standing;
use crate::train::error::TrainError;

/// Writes one checkpoint at a time in a thread of its own, while the steps go on.
#[derive(Debug)]
pub(in crate::train) struct Writer {
    checkpoints: Checkpoints,
    keep: usize,
    keep_best: bool,
    running: Option<JoinHandle<Result<PathBuf, TrainError>>>,
}

impl Writer {
    pub(in crate::train) fn new(checkpoints: Checkpoints, keep: usize, keep_best: bool) -> Self {
        Self {
            checkpoints,
            keep,
            keep_best,
            running: None,
        }
    }

    /// Removes what a process that was killed had no time to remove.
    pub(in crate::train) fn tidy(&self, standing: &Standing) -> Result<(), TrainError> {
        let now = (standing.stage.as_str(), standing.step);
        self.checkpoints.prune(now, self.keep, &self.best(standing))
    }

    /// The checkpoints that are kept for their scores.
    fn best(&self, standing: &Standing) -> Vec<PathBuf> {
        let best = standing.best.iter().filter(|_| self.keep_best);
        best.map(|(stage, best)| self.checkpoints.path(stage, best.step))
            .collect()
    }

    /// Begins to write `snapshot`, once the one before it is written.
    pub(in crate::train) fn begin(&mut self, snapshot: Snapshot) -> Result<(), TrainError> {
        self.finish()?;
        let standing = &snapshot.standing;
        let best = self.best(standing);
        let (checkpoints, keep) = (self.checkpoints.clone(), self.keep);
        let (stage, step) = (standing.stage.clone(), standing.step);
        self.running = Some(std::thread::spawn(move || {
            let path = checkpoints.write(snapshot)?;
            checkpoints.prune((&stage, step), keep, &best)?;
            Ok(path)
        }));
        Ok(())
    }

    /// What became of the one being written, if it is done.
    pub(in crate::train) fn check(&mut self) -> Result<(), TrainError> {
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish()?;
        }
        Ok(())
    }

    /// Removes the checkpoint of weights that turned out to be bad, unless they are those that the
    /// stage began with.
    pub(in crate::train) fn discard(&mut self, stage: &str, step: usize) -> Result<(), TrainError> {
        self.finish()?;
        if step == 0 {
            return Ok(());
        }
        self.checkpoints.retire(&self.checkpoints.path(stage, step))
    }

    /// Waits for the one being written.
    pub(in crate::train) fn finish(&mut self) -> Result<Option<PathBuf>, TrainError> {
        let Some(running) = self.running.take() else {
            return Ok(None);
        };
        let written = running.join();
        let written = written.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.map(Some)
    }
}

/// A run that ends early leaves its last checkpoint whole, and nobody writes into its folder after it.
impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // What ends the run is told already.
            let _ = running.join();
        }
    }
}
