//! A run that is resumed with something else than it was made with.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::place::{Place, rewrite, said};
use crate::tiny::Said;

fn resumed(place: &Place, run: &Path, more: &[&str]) -> Said {
    let mut command = place.go(run);
    command.args(more);
    said(command)
}

/// It is refused, with these words, and goes on with the flag.
fn needs_the_flag(place: &Place, run: &Path, more: &[&str], words: &str) {
    let refused = resumed(place, run, more);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    for word in [words, "`--allow-changes` goes on all the same"] {
        assert!(refused.stderr.contains(word), "{word}: {refused:?}");
    }
    let mut allowed = more.to_vec();
    allowed.push("--allow-changes");
    let went_on = resumed(place, run, &allowed);
    assert_eq!(went_on.code, Some(0), "{went_on:?}");
    let manifest = fs::read(run.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let changes = manifest["changes"].to_string();
    assert!(changes.contains(words), "{words}: {changes}");
}

#[test]
fn another_recipe_needs_a_flag_and_is_written_down() {
    let place = Place::new();
    let set = ["--set", "stage.finetune.max_grad_norm = 0.5"];
    let words = "`stage.finetune.max_grad_norm` was 1.0 and is 0.5";
    needs_the_flag(&place, &place.stopped(), &set, words);
}

#[test]
fn what_changes_no_number_needs_no_flag() {
    let place = Place::new();
    let run = place.stopped();
    let sets = [
        "--set",
        "stage.finetune.data.workers = 0",
        "--set",
        "checkpoint.every_minutes = 90",
    ];
    let said = resumed(&place, &run, &sets);
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn other_data_needs_a_flag() {
    let place = Place::new();
    let run = place.stopped();
    let path = place.world.path("data.json");
    let data = fs::read_to_string(&path).unwrap();
    fs::write(path, data.replace("a color", "a colour")).unwrap();
    needs_the_flag(
        &place,
        &run,
        &[],
        "the data of stage `finetune` is not what it was",
    );
}

#[test]
fn another_program_needs_a_flag() {
    let place = Place::new();
    let run = place.stopped();
    let standing = run.join("checkpoints/finetune-00000002/checkpoint.json");
    let text = fs::read_to_string(&standing).unwrap();
    let version = format!("\"menagerie\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    rewrite(
        &standing,
        &text.replace(&version, "\"menagerie\": \"0.0.9\""),
    );
    needs_the_flag(&place, &run, &[], "menagerie was 0.0.9 and is ");
}

#[test]
fn a_folder_that_is_no_run_and_a_run_that_is_finished_say_so() {
    let place = Place::new();
    let mut command = place.go(&place.whole);
    command.current_dir(place.world.path(""));
    let finished = said(command);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let none = place.world.menagerie(&["train", "--resume", "images"]);
    assert_eq!(none.code, Some(3), "{none:?}");
    assert!(none.stderr.contains("holds no run"), "{none:?}");
}
