//! A teacher whose replies tell what it was asked, and every fifth of which is of no use.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use crate::misbehave::{Behaviour, Received, completion};

/// What a request is known by: its seed, or else its text.
pub fn number(body: &Value) -> u64 {
    body["seed"].as_u64().unwrap_or_else(|| {
        let mut hasher = DefaultHasher::new();
        body.to_string().hash(&mut hasher);
        hasher.finish() >> 32
    })
}

/// Why the reply to a request of that number is of no use, if it is not.
pub fn fault(number: u64) -> Option<&'static str> {
    const FAULTS: [&str; 8] = [
        "refusal",
        "refusal",
        "truncated",
        "empty",
        "form",
        "mentions-source",
        "coordinates",
        "filtered",
    ];
    number
        .is_multiple_of(5)
        .then(|| FAULTS[usize::try_from(number / 5 % 8).unwrap()])
}

/// Whether the server does not take a request of that number at all.
pub fn is_refused(number: u64) -> bool {
    number % 97 == 3 && fault(number).is_none()
}

/// The type that a request asks for, by its system text.
fn kind(body: &Value) -> &'static str {
    let system = body["messages"][0]["content"].as_str().unwrap_or_default();
    match system {
        text if text.contains("descriptions of pictures") => "detail",
        text if text.contains("thinks about pictures") => "reasoning",
        _ => "conversation",
    }
}

/// Answers a request as it should be answered.
pub fn good(body: &Value) -> String {
    let number = number(body);
    let pair = |question: &str| {
        format!(
            "Question:\n{question} in scene {number}?\n===\nAnswer:\nA zebra, as in scene {number}."
        )
    };
    match kind(body) {
        "detail" => format!("Scene {number} has a zebra.\n\nIt is wide."),
        "reasoning" => pair("What is likely"),
        _ => [pair("What is there"), pair("Who runs")].join("\n===\n"),
    }
}

/// The body of the reply to a request.
pub fn reply(body: &Value) -> Value {
    let number = number(body);
    let text = good(body);
    let fault = fault(number);
    let bad = match (fault, kind(body)) {
        (Some("refusal"), _) => "I'm sorry, but I can't help with that.".to_owned(),
        (Some("empty"), _) => String::new(),
        (Some("form"), "detail") => format!("Question:\nWhat?\n===\nAnswer:\n{text}"),
        (Some("form"), _) => text.replace("===", "---"),
        (Some("mentions-source"), _) => text.replace("zebra", "zebra, by the captions"),
        (Some("coordinates"), _) => text.replace("zebra", "zebra at [0.1, 0.2, 0.3, 0.4]"),
        _ => text,
    };
    let words = bad.split_whitespace().count() as u64;
    let mut reply = completion(&bad, Some((100, words)));
    reply["id"] = json!(format!("chatcmpl-{number}"));
    if number / 5 % 8 == 1 && fault.is_some() {
        reply["choices"][0]["message"] =
            json!({ "role": "assistant", "content": null, "refusal": "No." });
    }
    match fault {
        Some("truncated") => reply["choices"][0]["finish_reason"] = json!("length"),
        Some("filtered") => reply["choices"][0]["finish_reason"] = json!("content_filter"),
        _ => {}
    }
    reply
}

/// Answers a request, most often well; a few are not taken, with the key in the server's word.
pub fn teach(request: &Received) -> Behaviour {
    if is_refused(number(&request.body)) {
        return Behaviour::echo(400, request);
    }
    Behaviour::json(&reply(&request.body))
}
