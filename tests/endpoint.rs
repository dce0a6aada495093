//! A client of chat endpoints, against a server on this machine that misbehaves.
#![cfg(feature = "endpoint")]

#[path = "endpoint/batch.rs"]
mod batch;
#[path = "endpoint/budget.rs"]
mod budget;
#[path = "endpoint/faults.rs"]
mod faults;
#[path = "endpoint/key.rs"]
mod key;
#[path = "misbehave/mod.rs"]
mod misbehave;
#[path = "endpoint/refusals.rs"]
mod refusals;
#[path = "endpoint/stop.rs"]
mod stop;
#[path = "endpoint/waits.rs"]
mod waits;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use menagerie::chat::Message;
use menagerie::endpoint::{
    Budget, ChatError, ChatReply, ChatRequest, DriveError, Ended, Endpoint, EndpointConfig, Spent,
    Work,
};

use misbehave::Server;

/// A request that asks `text`.
fn asks(text: &str) -> ChatRequest {
    let messages = vec![Message::system("You are a parrot."), Message::user(text)];
    let mut request = ChatRequest::new(messages);
    request.temperature = Some(0.5);
    request.max_tokens = Some(64);
    request
}

/// `server` with retries that cost no time.
fn config(server: &Server) -> EndpointConfig {
    let mut config = EndpointConfig::new(server.url(), "parrot");
    config.backoff = Duration::ZERO;
    config.timeout = Duration::from_mins(1);
    config
}

/// `question 0`, `question 1`, …, and what came of each.
#[derive(Default)]
struct Questions {
    count: u64,
    handed_out: u64,
    outcomes: BTreeMap<u64, Result<ChatReply, ChatError>>,
    /// Called with the number of outcomes so far.
    each: Option<Box<dyn FnMut(usize)>>,
    /// From this outcome on, none can be kept.
    full_after: Option<usize>,
}

/// The journal is full.
#[derive(Debug)]
struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the journal is full")
    }
}

impl std::error::Error for Full {}

impl Questions {
    fn new(count: u64) -> Self {
        Self {
            count,
            ..Self::default()
        }
    }

    fn replies(&self) -> Vec<(u64, &str)> {
        let outcomes = self.outcomes.iter();
        let replies = outcomes.filter_map(|(ticket, outcome)| {
            let reply = outcome.as_ref().ok()?;
            Some((*ticket, reply.text.as_str()))
        });
        replies.collect()
    }
}

impl Work for Questions {
    type Error = Full;

    fn next(&mut self) -> Option<(u64, ChatRequest)> {
        let ticket = self.handed_out;
        if ticket == self.count {
            return None;
        }
        self.handed_out += 1;
        Some((ticket, asks(&format!("question {ticket}"))))
    }

    fn done(&mut self, ticket: u64, outcome: Result<ChatReply, ChatError>) -> Result<(), Full> {
        if self.full_after == Some(self.outcomes.len()) {
            return Err(Full);
        }
        let before = self.outcomes.insert(ticket, outcome);
        assert!(before.is_none(), "ticket {ticket} comes twice");
        if let Some(each) = &mut self.each {
            each(self.outcomes.len());
        }
        Ok(())
    }
}

/// Drives `work` without a budget and without a stop.
fn drive(config: EndpointConfig, work: &mut Questions) -> (Result<Ended, DriveError<Full>>, Spent) {
    let endpoint = Endpoint::new(config).expect("a sound configuration");
    let mut spent = Spent::default();
    let stop = AtomicBool::new(false);
    let ended = endpoint.drive(work, &Budget::default(), &mut spent, &stop);
    (ended, spent)
}

/// What one request alone comes to.
fn once(config: EndpointConfig) -> Result<ChatReply, ChatError> {
    let mut work = Questions::new(1);
    match drive(config, &mut work).0 {
        Ok(_) => work.outcomes.remove(&0).expect("an outcome"),
        Err(DriveError::Fatal(error)) => {
            let dead = matches!(error, ChatError::Unreachable { .. });
            assert!(work.outcomes.is_empty() && (error.is_fatal() || dead));
            Err(error)
        }
        Err(other) => panic!("{other}"),
    }
}
