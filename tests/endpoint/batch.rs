//! Requests and replies as a batch API's files.

use std::fs;

use menagerie::endpoint::{ChatError, TokenLimit, batch};
use serde_json::{Value, json};

use super::asks;
use super::misbehave::completion;

/// As OpenAI answers a file of requests: in another order, what failed in a file of its own.
fn answer(requests: &str) -> (String, String) {
    let (mut replies, mut errors) = (String::new(), String::new());
    for line in requests.lines().rev() {
        let request: Value = serde_json::from_str(line).expect("JSON");
        let id = request["custom_id"].as_str().expect("an id");
        let question = request["body"]["messages"][1]["content"].as_str();
        let question = question.expect("a question");
        let output = |response: Value, error: Value| {
            let id_of_reply = format!("batch_req_{id}");
            let line = json!({
                "id": id_of_reply, "custom_id": id, "response": response, "error": error,
            });
            format!("{line}\n")
        };
        let response = |status: u16, body: &Value| json!({ "status_code": status, "request_id": "r", "body": body });
        match id {
            "a-3" => {
                let body = json!({ "error": {
                    "message": "too long", "code": "context_length_exceeded",
                }});
                errors += &output(response(400, &body), Value::Null);
            }
            "a-5" => {
                let error = json!({ "code": "batch_expired", "message": "after 24h" });
                errors += &output(Value::Null, error);
            }
            _ => {
                let body = completion(&format!("you said: {question}"), Some((5, 4)));
                replies += &output(response(200, &body), Value::Null);
            }
        }
    }
    (replies, errors)
}

#[test]
fn a_batch_comes_back_under_its_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("requests.jsonl");
    let requests = (0..10).map(|n| (format!("a-{n}"), asks(&format!("question {n}"))));
    let written = batch::write(&path, "parrot", TokenLimit::MaxTokens, requests);
    assert_eq!(written.expect("written"), [(path.clone(), 10)]);
    let text = fs::read_to_string(&path).expect("the file");
    let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        first,
        json!({
            "custom_id": "a-0", "method": "POST", "url": "/v1/chat/completions",
            "body": asks("question 0").body("parrot", TokenLimit::MaxTokens),
        })
    );

    let (replies, errors) = answer(&text);
    let (output, failed) = (
        folder.path().join("out.jsonl"),
        folder.path().join("err.jsonl"),
    );
    fs::write(&output, replies).expect("written");
    fs::write(&failed, errors).expect("written");
    let read = batch::read(&output).expect("a file");
    let replies: Vec<_> = read.map(|outcome| outcome.expect("a line")).collect();
    assert_eq!(replies.len(), 8);
    for (id, outcome) in &replies {
        let reply = outcome.as_ref().expect("a reply");
        let number = id.strip_prefix("a-").expect("our id");
        assert_eq!(reply.text, format!("you said: question {number}"));
        assert_eq!(reply.usage.expect("usage").total(), 9);
    }
    let read = batch::read(&failed).expect("a file");
    let errors: Vec<_> = read.map(|outcome| outcome.expect("a line")).collect();
    assert_eq!(errors.len(), 2);
    assert!(matches!(&errors[1], (id, Err(ChatError::TooLong { .. })) if id == "a-3"));
    let (id, Err(error)) = &errors[0] else {
        panic!("{errors:?}")
    };
    assert_eq!((id.as_str(), error.reason()), ("a-5", "unanswered"));
    assert!(
        error.is_transient() && error.to_string().contains("batch_expired"),
        "{error}"
    );
}

#[test]
fn an_id_stands_once_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("requests.jsonl");
    let requests = ["a", "b", "a"].map(|id| (id.to_owned(), asks("what?")));
    let error = batch::write(&path, "parrot", TokenLimit::MaxTokens, requests);
    assert!(error.expect_err("an id twice").to_string().contains("`a`"));
    assert!(!path.exists());
}

#[test]
fn a_line_that_is_no_reply_is_named_and_ends_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.jsonl");
    let good = |id: &str| {
        let response = json!({ "status_code": 200, "body": completion("yes", None) });
        format!(
            "{}\n",
            json!({ "custom_id": id, "response": response, "error": null })
        )
    };
    for (second, word) in [
        (good("a"), "the id `a` stands in line 1 already"),
        ("{\"custom_id\": \"b\"\n".to_owned(), "EOF"),
        ("{\"response\": null}\n".to_owned(), "custom_id"),
        ("{\"custom_id\": \"b\"}\n".to_owned(), "neither"),
    ] {
        fs::write(&path, format!("{}\n{second}{}", good("a"), good("c"))).expect("written");
        let mut read = batch::read(&path).expect("a file");
        assert!(matches!(read.next(), Some(Ok((id, Ok(_)))) if id == "a"));
        let error = read.next().expect("a line").expect_err(word).to_string();
        // An empty line is passed over.
        let place = format!("{}:3: ", path.display());
        assert!(error.starts_with(&place) && error.contains(word), "{error}");
        assert!(read.next().is_none());
    }
}
