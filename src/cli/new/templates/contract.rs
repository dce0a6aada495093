//! The plugin keeps its contract, and the recipe learns what is in `data.json`.

use new_plugin as _;

use std::path::Path;
use std::process::Command;

use menagerie::serde_json::{Value, from_str};

#[test]
fn it_keeps_the_contract() {
    menagerie::testing::check_plugin("new-plugin");
}

#[test]
fn it_learns_in_a_recipe() {
    let run = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-plugin-run");
    if run.exists() {
        std::fs::remove_dir_all(&run).expect("the last run is removed");
    }
    let trained = Command::new(env!("CARGO_BIN_EXE_new-plugin"))
        .args(["train", "recipe.toml", "--out"])
        .arg(&run)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(trained.expect("the program starts").success());
    let scores = std::fs::read_to_string(run.join("scores.jsonl")).expect("scores");
    let last: Value = from_str(scores.lines().last().expect("a score")).expect("JSON");
    assert!(last["score"].as_f64() > Some(0.7), "{last}");
}
