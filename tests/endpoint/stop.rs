//! Stopping: nothing new is sent, and what is in flight is handed over.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use menagerie::endpoint::{
    Budget, ChatError, ChatReply, ChatRequest, Ended, Endpoint, Spent, Work,
};

use super::misbehave::{Behaviour, Server};
use super::{Questions, asks, config};

#[test]
fn what_is_in_flight_at_a_stop_is_handed_over() {
    let server = Server::start(|_| Behaviour::says("yes"));
    let endpoint = Endpoint::new(config(&server)).expect("sound");
    let stop = Arc::new(AtomicBool::new(false));
    let mut work = Questions::new(1000);
    let set = Arc::clone(&stop);
    work.each = Some(Box::new(move |count| {
        set.fetch_or(count == 20, Ordering::Relaxed);
    }));
    let mut spent = Spent::default();
    let ended = endpoint.drive(&mut work, &Budget::default(), &mut spent, &stop);
    assert_eq!(ended.expect("no error"), Ended::Interrupted);
    let received = server.received().len();
    assert!((20..20 + 8).contains(&received), "{received}");
    assert_eq!(work.replies().len(), received);
}

#[test]
fn a_stop_ends_a_wait_of_minutes_and_the_request_is_open_again() {
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    let server = Server::start(move |request| {
        if request.number == 4 {
            // All four will wait, or do already.
            set.store(true, Ordering::Relaxed);
        }
        Behaviour::error(503, "overloaded").with("Retry-After", "500")
    });
    let mut config = config(&server);
    config.in_flight = 4;
    config.backoff = Duration::from_secs(500);
    let endpoint = Endpoint::new(config).expect("sound");
    let mut work = Questions::new(1000);
    let mut spent = Spent::default();
    let ended = endpoint.drive(&mut work, &Budget::default(), &mut spent, &stop);
    assert_eq!(ended.expect("no error"), Ended::Interrupted);
    assert!(work.outcomes.is_empty());
    assert_eq!(spent.requests, server.received().len() as u64);
}

/// Asks each question until the answer is right.
struct Strict {
    open: VecDeque<u64>,
    right: Vec<u64>,
}

impl Work for Strict {
    type Error = Infallible;

    fn next(&mut self) -> Option<(u64, ChatRequest)> {
        let ticket = self.open.pop_front()?;
        Some((ticket, asks(&format!("question {ticket}"))))
    }

    fn done(
        &mut self,
        ticket: u64,
        outcome: Result<ChatReply, ChatError>,
    ) -> Result<(), Infallible> {
        match outcome.expect("the server is fine").text.as_str() {
            "right" => self.right.push(ticket),
            _ => self.open.push_back(ticket),
        }
        Ok(())
    }
}

#[test]
fn what_is_rejected_while_nothing_else_is_open_is_asked_again() {
    let server = Server::start(|request| {
        Behaviour::says(if request.attempt < 4 {
            "wrong"
        } else {
            "right"
        })
    });
    let endpoint = Endpoint::new(config(&server)).expect("sound");
    let mut work = Strict {
        open: (0..50).collect(),
        right: Vec::new(),
    };
    let stop = AtomicBool::new(false);
    let ended = endpoint.drive(&mut work, &Budget::default(), &mut Spent::default(), &stop);
    assert_eq!(ended.expect("no error"), Ended::Finished);
    work.right.sort_unstable();
    assert!(work.right.iter().copied().eq(0..50));
    assert_eq!(server.received().len(), 200);
}
