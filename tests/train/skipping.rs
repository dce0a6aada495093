//! Training on data that is partly bad.

use serde_json::{Value, json};

use crate::tiny::{World, says};

/// `data.json` with bad samples between the good ones.
fn world() -> World {
    let world = World::new();
    let text = std::fs::read_to_string(world.path("data.json")).expect("written");
    let mut samples: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let ask = |answer: &str| says(&["<image>\nwhat color is it?", answer]);
    world.write("images/broken.bmp", "no picture");
    let bad = [
        json!({"id": "ghost", "image": "ghost.bmp", "conversations": ask("red")}),
        json!({"id": "torn", "image": "broken.bmp", "conversations": ask("red")}),
        json!({"id": "mute", "image": "red.bmp", "conversations": ask("")}),
    ];
    for (place, sample) in bad.into_iter().enumerate() {
        samples.insert(2 * place, sample);
    }
    world.write("mixed.json", Value::from(samples).to_string());
    world
}

const SKIP: &str = "[stage.align.data]\nconversations = \"mixed.json\"\non_bad_sample = \"skip\"\n\
                    [stage.align]\nsteps = 6\n";

#[test]
fn bad_samples_are_skipped_listed_once_and_counted() {
    let world = world();
    world.write("skip.toml", format!("extends = \"align.toml\"\n{SKIP}"));
    let said = world.menagerie(&["train", "skip.toml", "--out", "run"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stderr.contains("skipped: 3 samples"),
        "{}",
        said.stderr
    );

    let text = std::fs::read_to_string(world.path("run/skipped.jsonl")).expect("written");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut found: Vec<String> = lines
        .map(|line| {
            assert!(
                line["file"]
                    .as_str()
                    .is_some_and(|file| file.ends_with("mixed.json"))
            );
            format!("{} {} {}", line["stage"], line["id"], line["fault"]).replace('"', "")
        })
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "align ghost missing-image",
            "align mute nothing-to-learn",
            "align torn broken-image"
        ]
    );

    let again = world.menagerie(&["train", "skip.toml", "--out", "again"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let weights = |run: &str| {
        let file = world.path(run).join("weights/align/projector.safetensors");
        std::fs::read(file).expect("written")
    };
    assert!(
        weights("run") == weights("again"),
        "the same samples in the same places"
    );
}

#[test]
fn good_data_leaves_no_list() {
    let world = World::new();
    let run = world.train("run", "[stage.align.data]\non_bad_sample = \"skip\"");
    assert!(!run.0.join("skipped.jsonl").exists());
}
