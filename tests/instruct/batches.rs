//! Batches: the same requests as files, mixed with asking.

use std::collections::{BTreeSet, HashMap};
use std::fs;

use serde_json::{Value, json};

use crate::misbehave::Server;
use crate::teacher::{is_refused, number, reply, teach};
use crate::world::{World, ends_with};

/// What a batch API gives back for a file of requests, last things first, without a few of them.
fn answered(requests: &str, without: usize) -> String {
    let lines = requests.lines().rev().skip(without).map(|line| {
        let request: Value = serde_json::from_str(line).unwrap();
        let body = &request["body"];
        let (status, body) = if is_refused(number(body)) {
            (400, json!({ "error": { "message": "no", "code": "no" } }))
        } else {
            (200, reply(body))
        };
        let response = json!({ "status_code": status, "request_id": "r", "body": body });
        json!({
            "id": "b", "custom_id": request["custom_id"], "response": response, "error": null,
        })
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn batches_and_asking_mix_and_nothing_is_kept_twice() {
    let server = Server::start(teach);
    let world = World::new();
    let (requests, replies) = (world.path("requests.jsonl"), world.path("replies.jsonl"));
    let batch = |word: &str| {
        let mut command = world.make(&server.url());
        let file = if word == "read" { &replies } else { &requests };
        command.args(["--batch", word, file.to_str().unwrap()]);
        command
    };
    ends_with(&mut batch("write"), 0);
    let text = fs::read_to_string(&requests).unwrap();
    assert_eq!(text.lines().count(), 80);
    assert!(!text.contains(crate::world::KEY));
    assert!(server.received().is_empty());
    fs::write(&replies, answered(&text, 5)).unwrap();

    // Some are asked while the batch is under way.
    let mut some = world.make(&server.url());
    ends_with(some.args(["--max-tokens-total", "1500"]), 1);
    let live = world.journal().len();
    assert!(live > 5);
    let said = ends_with(&mut batch("read"), 0);
    assert!(said.contains("known already"), "{said}");
    let both = world.journal().len();
    assert!(both > 70 && both <= 75 + live, "{both}");

    let said = ends_with(&mut batch("read"), 0);
    assert!(
        said.contains("0 replies accepted, 0 rejected; 75 known already"),
        "{said}"
    );
    assert_eq!(world.journal().len(), both);

    // What is left is asked, in a second batch and then live.
    ends_with(&mut batch("write"), 0);
    let text = fs::read_to_string(&requests).unwrap();
    assert!(
        text.lines().count() < 40,
        "answered requests are in the second batch"
    );
    fs::write(&replies, answered(&text, 2)).unwrap();
    ends_with(&mut batch("read"), 0);
    ends_with(&mut world.make(&server.url()), 0);

    let mut seen: HashMap<String, usize> = HashMap::new();
    for line in world.journal() {
        let key = json!([
            line["context"],
            line["type"],
            line["number"],
            line["attempt"]
        ]);
        *seen.entry(key.to_string()).or_default() += 1;
    }
    assert!(seen.values().all(|count| *count == 1));
    assert_eq!(world.json("manifest.json")["made"]["finished"], true);
    let contexts: BTreeSet<String> = seen.into_keys().collect();
    assert!(contexts.len() >= 80);

    // A batch of another run is not taken for this one's.
    let other = World::new();
    let mut command = other.make(&server.url());
    command.args(["--seed", "1", "--batch", "read", replies.to_str().unwrap()]);
    let said = ends_with(&mut command, 3);
    assert!(said.contains("is no request of this run"), "{said}");
    let mut command = other.make(&server.url());
    let said = ends_with(command.args(["--batch", "eat", "file"]), 3);
    assert!(said.contains("--batch write FILE"), "{said}");
}
