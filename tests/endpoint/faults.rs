//! Thousands of requests through every fault: nothing is lost and nothing comes twice.

use std::collections::BTreeSet;
use std::time::Duration;

use menagerie::endpoint::{Ended, FinishReason, TokenLimit};
use serde_json::json;

use super::misbehave::{Behaviour, Fault, Received, Server, faulty};
use super::{Questions, config, drive, once};

fn parrot(request: &Received) -> Behaviour {
    Behaviour::says(&format!("you said: {}", request.question()))
}

fn all_come_back(count: u64, server: &Server, in_flight: usize, timeout: Duration) {
    let mut config = config(server);
    config.in_flight = in_flight;
    config.timeout = timeout;
    config.retries = 200;
    let mut work = Questions::new(count);
    let (ended, spent) = drive(config, &mut work);
    assert_eq!(ended.expect("it ends well"), Ended::Finished);
    let replies = work.replies();
    assert_eq!(replies.len() as u64, count);
    for (ticket, text) in replies {
        assert_eq!(text, format!("you said: question {ticket}"));
    }
    assert_eq!((spent.replies, spent.uncounted), (count, 0));
    assert_eq!(spent.usage.prompt_tokens, 10 * count);
    assert_eq!(spent.usage.completion_tokens, 4 * count);
    assert!(spent.requests > count, "there were no faults");
}

#[test]
fn of_thousands_of_requests_each_comes_back_once_through_quick_faults() {
    let server = Server::start(faulty(3, 0.4, Fault::QUICK, parrot));
    all_come_back(4000, &server, 16, Duration::from_mins(1));
    let questions: BTreeSet<_> = server
        .received()
        .iter()
        .map(|request| request.question().to_owned())
        .collect();
    assert_eq!(questions.len(), 4000);
}

#[test]
fn hangs_drips_and_bodies_that_never_end_are_broken_off() {
    let server = Server::start(faulty(5, 0.2, Fault::SLOW, parrot));
    all_come_back(60, &server, 16, Duration::from_millis(200));
}

#[test]
fn a_reply_is_whole_and_kept_raw() {
    let body = json!({
        "id": "x",
        "choices": [{
            "message": { "role": "assistant", "content": null, "refusal": "I will not" },
            "finish_reason": "length",
        }],
        "model": "parrot-2",
        "extra": { "kept": [1, 2.5, "\u{fffd}"] },
    });
    let sent = body.clone();
    let server = Server::start(move |_| Behaviour::json(&sent));
    let reply = once(config(&server)).expect("a reply");
    assert_eq!(reply.raw, body);
    assert_eq!(
        (reply.text.as_str(), reply.finish),
        ("", FinishReason::Length)
    );
    assert_eq!(reply.refusal.as_deref(), Some("I will not"));
    assert_eq!((reply.model.as_str(), reply.usage), ("parrot-2", None));

    let mut newer = config(&server);
    newer.token_limit = TokenLimit::MaxCompletionTokens;
    once(newer).expect("a reply");
    let received = server.received();
    assert_eq!(received[0].path, "/v1/chat/completions");
    let messages = json!([
        { "role": "system", "content": "You are a parrot." },
        { "role": "user", "content": "question 0" },
    ]);
    assert_eq!(
        received[0].body,
        json!({ "model": "parrot", "messages": messages, "temperature": 0.5, "max_tokens": 64 })
    );
    assert_eq!(received[1].body["max_completion_tokens"], 64);
    assert_eq!(received[1].body["max_tokens"], json!(null));
}

#[test]
fn a_body_without_end_is_not_read_to_its_end() {
    let server = Server::start(|_| Behaviour::status(200, vec![b' '; 17 << 20]));
    let mut config = config(&server);
    config.retries = 0;
    let error = once(config).expect_err("too long").to_string();
    assert!(error.contains("longer than 16 MiB"), "{error}");
}
