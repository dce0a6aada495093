//! How far an error reaches: one request, or all work.

use menagerie::endpoint::{ChatError, DriveError, EndpointConfig};

use super::misbehave::{Behaviour, Server};
use super::{Full, Questions, config, drive, once};

fn refused(behaviour: Behaviour) -> (ChatError, usize) {
    let server = Server::start(move |_| behaviour.clone());
    let mut config = config(&server);
    config.retries = 3;
    let error = once(config).expect_err("no reply");
    (error, server.received().len())
}

#[test]
fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
    let vllm = r#"{"object": "error", "message": "This model's maximum context length is 2048 tokens.", "type": "BadRequestError", "code": 400}"#;
    let llama_cpp = r#"{"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}"#;
    let gateway = r#"{"error": {"code": 503, "message": "no provider"}}"#;
    let gateway_key = r#"{"error": {"code": 401, "message": "no such user"}}"#;
    let says = |status: u16, body: &str| Behaviour::status(status, body);
    let error = Behaviour::error;
    for (behaviour, reason, requests, word) in [
        (
            error(400, "bad"),
            "refused",
            1,
            "this is the message of bad",
        ),
        (error(422, "bad"), "refused", 1, "status 422"),
        (
            error(400, "context_length_exceeded"),
            "too-long",
            1,
            "too long",
        ),
        (says(400, vllm), "too-long", 1, "2048 tokens"),
        (says(400, llama_cpp), "too-long", 1, "available context"),
        (error(400, "content_filter"), "filtered", 1, "filter"),
        (
            error(400, "unsupported_parameter"),
            "parameter",
            1,
            "`max_completion_tokens`",
        ),
        (error(401, "invalid_api_key"), "denied", 1, "status 401"),
        (error(403, "no"), "denied", 1, "status 403"),
        (
            says(404, r#"{"detail": "Not Found"}"#),
            "not-found",
            1,
            "Not Found",
        ),
        (error(400, "model_not_found"), "not-found", 1, "`parrot`"),
        (error(402, "no"), "no-credit", 1, "credit"),
        (error(429, "insufficient_quota"), "no-credit", 1, "credit"),
        (
            Behaviour::redirect(307, "https://other.example/v2?q=1"),
            "redirected",
            1,
            "`https://other.example/v2`",
        ),
        (error(408, "late"), "busy", 4, "status 408"),
        (error(409, "conflict"), "busy", 4, "status 409"),
        (error(429, "rate_limit_exceeded"), "busy", 4, "status 429"),
        (
            says(500, "<h1>a\u{7}page</h1>"),
            "busy",
            4,
            "<h1>a page</h1>",
        ),
        (
            says(503, r#"{"error": "loading"}"#),
            "busy",
            4,
            "it says: loading",
        ),
        (says(200, gateway), "busy", 4, "no provider"),
        (says(200, gateway_key), "denied", 1, "no such user"),
        (Behaviour::CutHeaders, "connection", 4, "broke"),
        (Behaviour::says("whole").cut(), "connection", 4, "broke"),
        (says(200, "{"), "malformed", 4, "it is no JSON"),
        (
            says(200, r#"{"choices": []}"#),
            "malformed",
            4,
            "`choices` are empty",
        ),
        (
            says(200, r#"{"answer": 1}"#),
            "malformed",
            4,
            "missing field `choices`",
        ),
    ] {
        let (error, sent) = refused(behaviour);
        assert_eq!((error.reason(), sent), (reason, requests), "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(error.is_transient(), requests == 4, "{error}");
    }
}

#[test]
fn a_fatal_error_ends_all_work_and_what_was_answered_is_kept() {
    for in_flight in [1, 4] {
        let server = Server::start(|request| match request.number {
            30 => Behaviour::error(401, "invalid_api_key"),
            _ => Behaviour::says("yes"),
        });
        let mut config = config(&server);
        config.in_flight = in_flight;
        let mut work = Questions::new(1000);
        let (ended, spent) = drive(config, &mut work);
        assert!(matches!(
            ended,
            Err(DriveError::Fatal(ChatError::Denied { status: 401, .. }))
        ));
        // What went beside it is paid for.
        let received = server.received().len();
        assert!(
            received == 30 || in_flight > 1 && received < 1000,
            "{received}"
        );
        assert_eq!(work.replies().len(), received - 1);
        assert_eq!(spent.requests, received as u64);
    }
}

#[test]
fn a_bad_request_is_one_of_many() {
    let server = Server::start(|request| match request.question() {
        "question 7" => Behaviour::error(400, "context_length_exceeded"),
        _ => Behaviour::says("yes"),
    });
    let mut work = Questions::new(50);
    let (ended, _) = drive(config(&server), &mut work);
    assert!(ended.is_ok());
    assert_eq!((work.outcomes.len(), work.replies().len()), (50, 49));
    assert!(matches!(work.outcomes[&7], Err(ChatError::TooLong { .. })));
}

#[test]
fn a_server_that_is_down_is_not_asked_for_everything() {
    let server = Server::start(|_| Behaviour::error(500, "broken"));
    let mut down = config(&server);
    down.retries = 2;
    down.in_flight = 2;
    down.failures_in_a_row = 5;
    let mut work = Questions::new(1000);
    let (ended, _) = drive(down, &mut work);
    let error = ended.expect_err("it is down").to_string();
    assert!(
        error.contains("5 requests in a row") && error.contains("status 500"),
        "{error}"
    );
    assert!((5..=6).contains(&work.outcomes.len()));

    let url = server.url();
    drop(server);
    let mut config = EndpointConfig::new(url, "parrot");
    config.retries = 0;
    let error = once(config).expect_err("nobody is there");
    assert!(matches!(error, ChatError::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_wrong_address_is_told_after_three_tries() {
    let server = Server::start(|_| Behaviour::error(500, "broken"));
    let mut nowhere = config(&server);
    drop(server);
    nowhere.retries = 8;
    nowhere.in_flight = 2;
    let mut work = Questions::new(1000);
    let (ended, spent) = drive(nowhere, &mut work);
    let error = ended.expect_err("nobody is there").to_string();
    assert!(error.starts_with("nobody answers at http://"), "{error}");
    assert!(spent.requests <= 6, "{spent:?}");
    assert!(work.outcomes.is_empty());
}

#[test]
fn a_journal_that_is_full_ends_all_and_is_left_alone() {
    let server = Server::start(|_| Behaviour::says("yes"));
    let mut work = Questions::new(1000);
    work.full_after = Some(10);
    let (ended, _) = drive(config(&server), &mut work);
    assert!(matches!(ended, Err(DriveError::Work(Full))));
    assert_eq!(work.outcomes.len(), 10);
    assert!(server.received().len() <= 10 + 8);
}
