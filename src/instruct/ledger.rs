//! What was made of the replies so far.
//!
//! It follows from the replies in their order alone: read from disk or fresh, they give the same.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::duplicates::Duplicates;
use super::form::{self, Pair};
use super::journal::{Entry, Outcome};
use super::objects::absent;
use super::plan::{Plan, Task};
use super::reject::{Reason, Reject};
use super::response::ResponseType;
use super::sample::{Flag, Sample, turns};
use crate::endpoint::{ChatReply, FinishReason, Spent};

/// How far each task is, and what came of it.
#[derive(Debug)]
pub(super) struct Ledger<'p> {
    contexts: &'p [Context],
    plan: &'p Plan,
    questions: &'p [String],
    places: HashMap<(&'p str, ResponseType, u32), usize>,
    standings: Vec<Standing>,
    /// Replies to each task.
    replies: Vec<u32>,
    said: Duplicates,
    rejects: Vec<Rejected>,
    /// Pairs that were left out of accepted samples, as another sample has them.
    left_out: u64,
    /// What all replies cost.
    spent: Spent,
    /// Replies by the names that models give themselves.
    models: BTreeMap<String, u64>,
}

/// How far a task is.
#[derive(Debug)]
enum Standing {
    /// It has no reply that can be taken.
    Open,
    /// The endpoint does not take its request.
    Closed,
    /// It is done.
    Done { pairs: Vec<Pair>, flags: Vec<Flag> },
}

/// A reply that was not taken, a line of `rejects.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rejected {
    pub context: String,
    #[serde(rename = "type")]
    pub kind: ResponseType,
    pub number: u32,
    pub attempt: u32,
    pub reason: Reason,
    pub detail: String,
    pub text: String,
}

/// How many tasks stand where, for a number of attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub accepted: u64,
    /// Without a good reply after all attempts.
    pub given_up: u64,
    pub open: u64,
}

impl<'p> Ledger<'p> {
    pub(super) fn new(contexts: &'p [Context], plan: &'p Plan, questions: &'p [String]) -> Self {
        let tasks = plan.tasks();
        let places = tasks.iter().enumerate().map(|(place, task)| {
            let id = contexts[task.context].id.as_str();
            ((id, task.kind, task.number), place)
        });
        Self {
            contexts,
            plan,
            questions,
            places: places.collect(),
            standings: tasks.iter().map(|_| Standing::Open).collect(),
            replies: vec![0; tasks.len()],
            said: Duplicates::default(),
            rejects: Vec::new(),
            left_out: 0,
            spent: Spent::default(),
            models: BTreeMap::new(),
        }
    }

    /// The entry that an outcome for a task makes.
    pub(super) fn entry(&self, task: usize, outcome: Outcome) -> Entry {
        let Task {
            context,
            kind,
            number,
        } = self.plan.tasks()[task];
        Entry {
            context: self.contexts[context].id.clone(),
            kind,
            number,
            attempt: self.next_attempt(task),
            outcome,
        }
    }

    /// Takes an entry, and says whether its task is done by it.
    ///
    /// # Errors
    /// It does not belong here.
    pub(super) fn take(&mut self, entry: Entry) -> Result<bool, String> {
        let key = (entry.context.as_str(), entry.kind, entry.number);
        let Some(&place) = self.places.get(&key) else {
            return Err(format!(
                "nothing is asked of the {} number {} of context `{}`",
                entry.kind, entry.number, entry.context
            ));
        };
        let next = self.next_attempt(place);
        if entry.attempt != next {
            return Err(format!(
                "it is attempt {}, and attempt {next} comes next",
                entry.attempt
            ));
        }
        self.replies[place] = next;
        let (text, read) = match entry.outcome {
            Outcome::Refused { said, .. } => {
                if let Standing::Open = self.standings[place] {
                    self.standings[place] = Standing::Closed;
                }
                (String::new(), Err(Reason::RequestRefused.because(said)))
            }
            Outcome::Reply(raw) => {
                let reply = ChatReply::from_raw(raw).map_err(|error| error.to_string())?;
                self.count(&reply);
                // Another version, which asked once more, may have rejected what this one took.
                if self.is_done(place) {
                    return Ok(false);
                }
                let read = self.read(place, &reply);
                (reply.text, read)
            }
        };
        match read {
            Ok((pairs, flags)) => {
                let task = self.plan.tasks()[place];
                let image = &self.contexts[task.context].image;
                self.said.add(task.kind, image, &pairs);
                self.standings[place] = Standing::Done { pairs, flags };
                Ok(true)
            }
            Err(Reject { reason, detail }) => {
                self.rejects.push(Rejected {
                    context: entry.context,
                    kind: entry.kind,
                    number: entry.number,
                    attempt: entry.attempt,
                    reason,
                    detail,
                    text,
                });
                Ok(false)
            }
        }
    }

    fn count(&mut self, reply: &ChatReply) {
        self.spent.add(reply, None);
        *self.models.entry(reply.model.clone()).or_default() += 1;
    }

    /// What a reply says, or why it is not taken.
    fn read(&mut self, place: usize, reply: &ChatReply) -> Result<(Vec<Pair>, Vec<Flag>), Reject> {
        if let Some(refusal) = reply.refusal.as_ref().filter(|text| !text.is_empty()) {
            return Err(Reason::Refusal.because(refusal.as_str()));
        }
        match &reply.finish {
            FinishReason::ContentFilter => {
                return Err(Reason::Filtered.because("a content filter cut the reply"));
            }
            FinishReason::Length => {
                return Err(Reason::Truncated.because("it reached the longest reply"));
            }
            FinishReason::Stop | FinishReason::Other(_) => {}
        }
        let task = self.plan.tasks()[place];
        let context = &self.contexts[task.context];
        let asked = self.plan.draw(&task.name(context), self.questions);
        let pairs = form::read(task.kind, &reply.text, asked)?;
        let count = pairs.len();
        let pairs = self.said.new_ones(task.kind, &context.image, pairs);
        let fewest = match task.kind {
            ResponseType::Conversation => 2,
            ResponseType::Detail | ResponseType::Reasoning => 1,
        };
        let left_out = count - pairs.len();
        if pairs.len() < fewest {
            let detail = format!("another sample has {left_out} of its {count} answers");
            return Err(Reason::Duplicate.because(detail));
        }
        self.left_out += left_out as u64;
        let answers: Vec<&str> = pairs.iter().map(|pair| pair.answer.as_str()).collect();
        let absent = absent(&answers.join("\n"), context);
        let flags = absent.into_iter().map(Flag::absent_object).collect();
        Ok((pairs, flags))
    }

    /// The place of the task of that name.
    pub(super) fn names(&self) -> HashMap<String, usize> {
        let tasks = self.plan.tasks().iter().enumerate();
        tasks
            .map(|(place, task)| (task.name(&self.contexts[task.context]), place))
            .collect()
    }

    /// Which attempt at a task comes next, from 1.
    pub(super) fn next_attempt(&self, task: usize) -> u32 {
        self.replies[task].saturating_add(1)
    }

    /// Whether a task is to be asked, where so many replies are asked for at most.
    pub(super) fn is_open(&self, task: usize, attempts: u32) -> bool {
        matches!(self.standings[task], Standing::Open) && self.replies[task] < attempts
    }

    /// Whether a task has its sample.
    pub(super) fn is_done(&self, task: usize) -> bool {
        matches!(self.standings[task], Standing::Done { .. })
    }

    /// How many tasks of a type stand where.
    pub(super) fn counts(&self, kind: ResponseType, attempts: u32) -> Counts {
        let mut counts = Counts::default();
        for (place, task) in self.plan.tasks().iter().enumerate() {
            if task.kind == kind {
                *match (self.is_done(place), self.is_open(place, attempts)) {
                    (true, _) => &mut counts.accepted,
                    (false, true) => &mut counts.open,
                    (false, false) => &mut counts.given_up,
                } += 1;
            }
        }
        counts
    }

    /// Finished samples, in the plan's order.
    pub(super) fn samples(&self) -> impl Iterator<Item = Sample> {
        let tasks = self.plan.tasks().iter().zip(&self.standings);
        tasks.filter_map(|(task, standing)| {
            let Standing::Done { pairs, flags } = standing else {
                return None;
            };
            let context = &self.contexts[task.context];
            Some(Sample {
                id: task.name(context),
                image: context.image.clone(),
                context: context.id.clone(),
                kind: task.kind,
                conversations: turns(pairs),
                flags: flags.clone(),
            })
        })
    }

    /// The flags of all finished samples.
    pub(super) fn flags(&self) -> impl Iterator<Item = &[Flag]> {
        self.standings.iter().filter_map(|standing| match standing {
            Standing::Done { flags, .. } => Some(flags.as_slice()),
            Standing::Open | Standing::Closed => None,
        })
    }

    /// Replies that were not taken, in the order of arrival.
    pub(super) fn rejects(&self) -> &[Rejected] {
        &self.rejects
    }

    /// Pairs that were left out of finished samples.
    pub(super) const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What all replies cost, without money.
    pub(super) const fn spent(&self) -> Spent {
        self.spent
    }

    /// Replies by the names that models give themselves.
    pub(super) const fn models(&self) -> &BTreeMap<String, u64> {
        &self.models
    }
}
