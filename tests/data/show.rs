//! `menagerie data show`.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{Folder, fixture, llama_json, says};

fn menagerie(folder: &Folder, line: &str, colour: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
    command
        .args(["data", "show"])
        .args(line.split_whitespace())
        .current_dir(folder.path())
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE");
    if colour {
        command.env("CLICOLOR_FORCE", "1");
    }
    command.output().expect("it runs")
}

fn show(folder: &Folder, line: &str, colour: bool) -> String {
    let output = menagerie(folder, line, colour);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).expect("text")
}

/// The exit code and what is said.
fn refuse(folder: &Folder, line: &str) -> (Option<i32>, String) {
    let output = menagerie(folder, line, false);
    assert!(output.stdout.is_empty(), "stdout is data");
    let error = String::from_utf8(output.stderr).expect("text");
    (output.status.code(), error)
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
        let line = format!("b.json --tokenizer . --json --chat {template}");
        let shown = show(&folder, &line, false);
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
    let line = "a.json --tokenizer tokenizer.json --chat hf-llava";
    let plain = show(&folder, line, false);
    let expected = "one · 39 tokens, 13 supervised · images: 1\n\
        <s>USER: What is <image>  this? ASSISTANT:[[ A llama \u{1f999}.</s>]] USER: Why? ASSISTANT:[[ So.</s>]]\n\n\
        two · ";
    assert!(plain.starts_with(expected), "{plain}");

    let colour = show(&folder, line, true);
    assert!(colour.contains("\u{1b}[32m So.</s>\u{1b}[0m"), "{colour:?}");
}

#[test]
fn images_can_be_moved_and_samples_counted() {
    let folder = folder();
    let line = "a.json --tokenizer . --chat hf-llava --limit 1 --image-position last";
    let shown = show(&folder, line, false);
    let expected = "USER: What is  this?\n<image>  ASSISTANT:[[ A llama";
    assert!(shown.contains(expected), "{shown}");
    assert!(!shown.contains("two · "), "{shown}");
    let separate = format!("{line} --turns separate --json");
    let shown = show(&folder, &separate, false);
    assert!(
        shown.starts_with(r#"{"id":"one#0","input_ids":[1,"#),
        "{shown}"
    );
}

#[test]
fn what_is_wrong_is_said() {
    let folder = folder();
    let (code, error) = refuse(&folder, "a.json");
    assert_eq!(code, Some(2));
    assert!(error.contains("--tokenizer <DIR>"), "{error}");
    let (code, error) = refuse(&folder, "a.json --tokenizer . --chat chatm");
    assert_eq!(code, Some(2));
    assert!(
        error.contains("llava_llama_2") && error.contains("similar value exists: 'chatml'"),
        "{error}"
    );
    let (code, error) = refuse(&folder, "a.json --tokenizer . --image-position middle");
    assert_eq!(code, Some(2));
    assert!(error.contains("as-data, first, last, random"), "{error}");
    let (code, error) = refuse(&folder, "a.json --tokenizer . --chat mpt");
    assert_eq!(code, Some(3));
    let expected =
        "error: a.json: sample `one`\n  because: the chat template `mpt` writes `<|im_start|>`";
    assert!(error.starts_with(expected), "{error}");
    let (code, error) = refuse(&folder, "b.json --tokenizer .");
    assert_eq!(code, Some(4));
    assert!(
        error.starts_with("error: cannot read b.json\n  because: "),
        "{error}"
    );
    std::fs::remove_file(folder.path().join("tokenizer.json")).expect("removed");
    let (code, error) = refuse(&folder, "a.json --tokenizer .");
    assert_eq!(code, Some(4));
    assert!(
        error.starts_with("error: no tokenizer.json in ."),
        "{error}"
    );
}
