//! Asking by a batch's files, for those who pay half.

use std::path::{Path, PathBuf};

use super::error::InstructError;
use super::journal::Outcome;
use super::run::Run;
use crate::endpoint::{TokenLimit, batch};

/// What was in a batch's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchRead {
    /// Replies that made a sample.
    pub accepted: u64,
    /// Replies that could not be taken.
    pub rejected: u64,
    /// Replies to what was answered before, which are passed over.
    pub known: u64,
    /// Requests without a reply.
    pub unanswered: u64,
}

impl Run<'_> {
    /// Writes a request for each sample that is not there yet, as batch APIs take them: into `path`,
    /// and where that is full into more files beside it. Gives the files with the number of requests
    /// in each.
    ///
    /// Nothing is kept of it: what is written twice is asked and paid twice, of which one reply
    /// counts.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_batch(
        &self,
        path: &Path,
        limit: TokenLimit,
    ) -> Result<Vec<(PathBuf, usize)>, InstructError> {
        let tasks = 0..self.project.plan().tasks().len();
        let hash = self.project.made_of().short_hash();
        let mut broken = None;
        let requests = tasks.filter(|task| self.is_open(*task)).map_while(|task| {
            let attempt = self.ledger.next_attempt(task);
            match self.project.request(task, attempt) {
                Ok(request) => Some((self.request_id(&hash, task, attempt), request)),
                Err(error) => {
                    broken = Some(error);
                    None
                }
            }
        });
        let written = batch::write(path, &self.project.options().model, limit, requests)?;
        broken.map_or(Ok(written), Err)
    }

    /// Keeps the replies in a file that a batch API gave back. Reading one twice changes nothing.
    ///
    /// # Errors
    /// The file is of another run or damaged. What was kept until then counts.
    pub fn read_batch(&mut self, path: &Path) -> Result<BatchRead, InstructError> {
        let names = self.ledger.names();
        let hash = self.project.made_of().short_hash();
        let mut read = BatchRead::default();
        for outcome in batch::read(path)? {
            let (id, outcome) = outcome?;
            let task = parse(&id).and_then(|(run, name, attempt)| {
                let task = names.get(name).filter(|_| run == hash);
                Some((*task?, attempt))
            });
            let Some((task, attempt)) = task else {
                let path = path.to_owned();
                return Err(InstructError::OtherBatch { path, id });
            };
            if !self.is_open(task) || attempt != self.ledger.next_attempt(task) {
                read.known += 1;
                continue;
            }
            match outcome {
                Err(error) if error.is_transient() || error.is_fatal() => read.unanswered += 1,
                outcome => {
                    let accepted = self.keep(task, Outcome::of(outcome))?;
                    read.accepted += u64::from(accepted);
                    read.rejected += u64::from(!accepted);
                }
            }
        }
        Ok(read)
    }

    /// `RUN/SAMPLE/ATTEMPT`.
    fn request_id(&self, run: &str, task: usize, attempt: u32) -> String {
        let plan = self.project.plan();
        let task = plan.tasks()[task];
        let name = task.name(&self.project.contexts().all[task.context]);
        format!("{run}/{name}/{attempt}")
    }
}

/// The parts of a request's id.
fn parse(id: &str) -> Option<(&str, &str, u32)> {
    let (run, rest) = id.split_once('/')?;
    let (name, attempt) = rest.rsplit_once('/')?;
    Some((run, name, attempt.parse().ok()?))
}
