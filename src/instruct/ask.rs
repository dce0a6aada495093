//! Asking the teacher.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;

use super::error::InstructError;
use super::journal::Outcome;
use super::run::Run;
use crate::endpoint::{
    Budget, ChatError, ChatReply, ChatRequest, DriveError, Ended, Endpoint, Usage, Work,
};

/// How asking went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// How it came to its end.
    pub ended: Ended,
    /// Requests that got no reply in spite of all retries, by reason. They are asked again when the
    /// run goes on.
    pub unanswered: BTreeMap<&'static str, u64>,
    /// What the first of them failed with.
    pub first_failure: Option<String>,
}

impl Asked {
    /// Nothing was asked.
    #[must_use]
    pub const fn nothing() -> Self {
        Self {
            ended: Ended::Finished,
            unanswered: BTreeMap::new(),
            first_failure: None,
        }
    }
}

/// How far asking is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Samples that are accepted or given up.
    pub settled: u64,
    /// All samples.
    pub total: u64,
    /// Samples that are accepted.
    pub accepted: u64,
    /// Replies that were not taken since asking began.
    pub rejected: u64,
    /// Requests that got no reply since asking began.
    pub unanswered: u64,
    /// Tokens of all replies.
    pub usage: Usage,
}

impl Run<'_> {
    /// Asks for all samples that are not there yet, and once more where a reply could not be taken.
    /// The budget holds for all replies of the run, those of earlier times too.
    ///
    /// # Errors
    /// No request can be answered, or a reply cannot be kept. What was kept until then counts.
    pub fn ask(
        &mut self,
        endpoint: &Endpoint,
        budget: &Budget,
        stop: &AtomicBool,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Asked, InstructError> {
        self.met(endpoint.config().base_url.as_str(), budget.prices);
        let mut spent = self.ledger.spent();
        spent.money = budget.prices.map(|prices| prices.of(spent.usage));
        let total = self.project.plan().tasks().len();
        let open = (0..total).filter(|task| self.is_open(*task));
        let queue: VecDeque<usize> = open.collect();
        let accepted = (0..total).filter(|task| self.ledger.is_done(*task)).count();
        let progress = Progress {
            settled: (total - queue.len()) as u64,
            total: total as u64,
            accepted: accepted as u64,
            usage: spent.usage,
            ..Progress::default()
        };
        watch(progress);
        let mut teaching = Teaching {
            run: self,
            queue,
            progress,
            unanswered: BTreeMap::new(),
            first_failure: None,
            broken: None,
            watch,
        };
        let ended = endpoint.drive(&mut teaching, budget, &mut spent, stop);
        let Teaching {
            unanswered,
            first_failure,
            broken,
            ..
        } = teaching;
        if let Some(error) = broken {
            return Err(error);
        }
        match ended {
            Ok(ended) => Ok(Asked {
                ended,
                unanswered,
                first_failure,
            }),
            Err(DriveError::Work(error)) => Err(error),
            Err(other) => Err(InstructError::Asking(Box::new(other))),
        }
    }
}

/// The questions of a run, as an endpoint takes them.
struct Teaching<'r, 'p> {
    run: &'r mut Run<'p>,
    queue: VecDeque<usize>,
    progress: Progress,
    unanswered: BTreeMap<&'static str, u64>,
    first_failure: Option<String>,
    /// A request that could not be made.
    broken: Option<InstructError>,
    watch: &'r mut dyn FnMut(Progress),
}

impl Work for Teaching<'_, '_> {
    type Error = InstructError;

    fn next(&mut self) -> Option<(u64, ChatRequest)> {
        if self.broken.is_some() {
            return None;
        }
        let task = self.queue.pop_front()?;
        let attempt = self.run.ledger.next_attempt(task);
        match self.run.project.request(task, attempt) {
            Ok(request) => Some((task as u64, request)),
            Err(error) => {
                self.broken = Some(error);
                None
            }
        }
    }

    fn done(
        &mut self,
        ticket: u64,
        outcome: Result<ChatReply, ChatError>,
    ) -> Result<(), InstructError> {
        let task = usize::try_from(ticket).expect("a ticket is a place");
        match outcome {
            Err(error) if error.is_transient() => {
                *self.unanswered.entry(error.reason()).or_default() += 1;
                self.first_failure.get_or_insert_with(|| error.to_string());
                self.progress.unanswered += 1;
            }
            outcome => {
                if let Ok(reply) = &outcome {
                    self.progress.usage.add(reply.usage.unwrap_or_default());
                }
                let accepted = self.run.keep(task, Outcome::of(outcome))?;
                let open = self.run.is_open(task);
                self.progress.accepted += u64::from(accepted);
                self.progress.rejected += u64::from(!accepted);
                self.progress.settled += u64::from(!open);
                if open {
                    self.queue.push_back(task);
                }
            }
        }
        (self.watch)(self.progress);
        Ok(())
    }
}
