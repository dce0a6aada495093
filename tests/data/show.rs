//! `menagerie data show`.

use std::process::Command;

use serde_json::{Value, json};

use super::{Folder, fixture, llama_json, says};

/// What it prints, or what it says is wrong.
fn show(folder: &Folder, line: &str, colour: bool) -> Result<String, String> {
    let words = ["data", "show"].into_iter().chain(line.split_whitespace());
    let words = words.map(|word| word.replace("DIR", &folder.path().display().to_string()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
    if colour {
        command.env("CLICOLOR_FORCE", "1");
    }
    let output = command.args(words).output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("tokenizer.json", llama_json());
    let one = json!({
        "id": "one", "image": "nowhere.png",
        "conversations": says(&["What is <image> this?", "A llama \u{1f999}.", "Why?", "So."]),
    });
    let two = json!({"id": "two", "conversations": says(&["Why?", "So."])});
    folder.write("a.json", json!([one, two]).to_string());
    folder
}

#[test]
fn ids_and_labels_are_those_of_the_original() {
    let cases = std::fs::read(fixture("tokens/labels.json")).expect("the fixture");
    let cases: Vec<Value> = serde_json::from_slice(&cases).expect("cases");
    let folder = folder();
    for case in cases {
        let turns = case["turns"].as_array().expect("turns").iter();
        let turns = turns.map(|turn| json!({"from": turn[0], "value": turn[1]}));
        let turns: Vec<Value> = turns.collect();
        let sample = json!([{"id": case["case"], "image": "x.jpg", "conversations": turns}]);
        folder.write("b.json", sample.to_string());
        let template = case["template"].as_str().expect("a name");
        let line = format!("DIR/b.json --tokenizer DIR --json --chat {template}");
        let shown = show(&folder, &line, false).expect("a line");
        let shown: Value = serde_json::from_str(&shown).expect("one JSON object");
        let keys = [
            ("id", "case"),
            ("input_ids", "input_ids"),
            ("labels", "labels"),
        ];
        for (ours, theirs) in keys {
            assert_eq!(shown[ours], case[theirs], "{template}: {ours}");
        }
    }
}

#[test]
fn supervised_text_is_marked() {
    let folder = folder();
    let line = "DIR/a.json --tokenizer DIR/tokenizer.json --chat hf-llava";
    let plain = show(&folder, line, false).expect("text");
    let expected = "one · 39 tokens, 13 supervised · images: 1\n\
        <s>USER: What is <image>  this? ASSISTANT:[[ A llama \u{1f999}.</s>]] USER: Why? ASSISTANT:[[ So.</s>]]\n\n\
        two · ";
    assert!(plain.starts_with(expected), "{plain}");

    let colour = show(&folder, line, true).expect("text");
    assert!(colour.contains("\u{1b}[32m So.</s>\u{1b}[0m"), "{colour:?}");
}

#[test]
fn images_can_be_moved_and_samples_counted() {
    let folder = folder();
    let line = "DIR/a.json --tokenizer DIR --chat hf-llava --limit 1 --image-position last";
    let shown = show(&folder, line, false).expect("text");
    let expected = "USER: What is  this?\n<image>  ASSISTANT:[[ A llama";
    assert!(shown.contains(expected), "{shown}");
    assert!(!shown.contains("two · "), "{shown}");
    let separate = format!("{line} --turns separate --json");
    let shown = show(&folder, &separate, false).expect("text");
    assert!(
        shown.starts_with(r#"{"id":"one#0","input_ids":[1,"#),
        "{shown}"
    );
}

#[test]
fn what_is_wrong_is_said() {
    let folder = folder();
    let error = show(&folder, "DIR/a.json --chat v2", false).expect_err("no template");
    assert!(
        error.contains("hf-llava") && error.contains("v1"),
        "{error}"
    );
    let error = show(&folder, "DIR/a.json --image-position middle", false);
    assert!(
        error
            .expect_err("no place")
            .contains("as-data, first, last, random")
    );
    let error = show(&folder, "DIR/a.json --tokenizer DIR --chat mpt", false);
    let error = error.expect_err("no such token");
    assert!(
        error.contains("sample `one`\n  because: the chat template `mpt` writes `<|im_start|>`"),
        "{error}"
    );
}
