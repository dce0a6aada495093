//! Runs that are resumed with something else than they were begun with.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::place::{Place, copy, each, rewrite, said};

/// What it is, what it does to the run folder, the arguments added, and what is said of it.
type Change = (
    &'static str,
    fn(&Path),
    &'static [&'static str],
    &'static str,
);

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

fn standing(run: &Path, change: impl Fn(&mut Value)) {
    let file = run.join("checkpoints/finetune-00000002/checkpoint.json");
    let mut value: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    change(&mut value);
    rewrite(&file, &value.to_string());
}

const CHANGES: [Change; 8] = [
    (
        "an edited recipe",
        |run| {
            edit(
                &run.join("recipe.toml"),
                "learning_rate = 0.003\nweight_decay = 0.1",
                "learning_rate = 0.003\nweight_decay = 0.2",
            );
        },
        &[],
        "`stage.finetune.optimizer.weight_decay` was 0.1 and is 0.2",
    ),
    (
        "a key set",
        |_| (),
        &[
            "--set",
            "stage.finetune.batch_size = 4",
            "--set",
            "stage.finetune.micro_batch_size = 4",
        ],
        "`stage.finetune.batch_size` was 8 and is 4\n  `stage.finetune.micro_batch_size` was 8 and is 4",
    ),
    (
        "other steps",
        |_| (),
        &["--set", "stage.finetune.epochs = 3"],
        "`stage.finetune.epochs` was 2.0 and is 3.0",
    ),
    (
        "another seed",
        |_| (),
        &["--set", "seed = 2"],
        "`seed` was 1 and is 2",
    ),
    (
        "a stage of another name",
        |run| {
            let file = run.join("recipe.toml");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(
                file,
                text.replace("align", "first").replace("finetune", "second"),
            )
            .unwrap();
        },
        &[],
        "the recipe is not what it was",
    ),
    (
        "another version of this program",
        |run| standing(run, |value| value["code"]["menagerie"] = "0.0.9".into()),
        &[],
        "menagerie was 0.0.9 and is 0.1.0",
    ),
    (
        "another build of it",
        |run| standing(run, |value| value["code"]["program"] = "00".into()),
        &[],
        "the program is another build of the same version",
    ),
    (
        "another device",
        |run| standing(run, |value| value["code"]["device"] = "Cuda(0)".into()),
        &[],
        "the device was Cuda(0) and is",
    ),
];

#[test]
fn a_run_that_is_resumed_with_something_else_says_so_and_needs_a_flag() {
    let place = Place::new();
    let stopped = place.stopped();
    each(&CHANGES, |(what, change, arguments, words)| {
        let run = place.run();
        copy(&stopped, &run);
        change(&run);
        let log = fs::read(run.join("metrics.jsonl")).unwrap();
        let mut command = place.go(&run);
        command.args(*arguments);
        let refused = said(command);
        assert_eq!(refused.code, Some(3), "{what}: {refused:?}");
        assert!(refused.stderr.contains(words), "{what}: {refused:?}");
        assert!(refused.stderr.contains("--allow-changes"), "{what}");
        // Nothing is lost before it is known whether it goes on.
        assert_eq!(fs::read(run.join("metrics.jsonl")).unwrap(), log, "{what}");

        let mut command = place.go(&run);
        command.args(*arguments).arg("--allow-changes");
        let allowed = said(command);
        assert_eq!(allowed.code, Some(0), "{what}: {allowed:?}");
        let manifest: Value =
            serde_json::from_slice(&fs::read(run.join("manifest.json")).unwrap()).unwrap();
        let listed = manifest["changes"].as_array().unwrap();
        let listed: Vec<&str> = listed.iter().map(|text| text.as_str().unwrap()).collect();
        assert!(listed.join("\n  ").contains(words), "{what}: {listed:?}");
    });
}

#[test]
fn data_that_changed_is_named_and_harmless_changes_need_no_flag() {
    let place = Place::new();
    let run = place.stopped();
    for (name, table) in [("data.json", "stage.align"), ("questions.json", "eval")] {
        let data = place.world.path(name);
        let before = fs::read_to_string(&data).unwrap();
        place.world.write(name, format!("{before} "));
        let said = said(place.go(&run));
        assert_eq!(said.code, Some(3), "{said:?}");
        let words = format!(
            "the data of `{table}` is not what it was: `{}` was written anew",
            data.display()
        );
        assert!(said.stderr.contains(&words), "{said:?}");
        place.world.write(name, before);
    }

    let mut command = place.go(&run);
    command.args(["--set", "checkpoint.every_steps = 1"]);
    command.args(["--set", "stage.finetune.data.workers = 1"]);
    command.args(["--set", "name = \"other\""]);
    let said = said(command);
    assert_eq!(said.code, Some(0), "{said:?}");
    let mut differing = place.differing(&run);
    differing.retain(|path| !path.starts_with("checkpoints"));
    let named = ["manifest.json", "model.toml", "recipe.toml"];
    assert_eq!(differing, named.map(std::path::PathBuf::from));
}

#[test]
fn a_run_goes_on_from_any_folder_and_a_finished_one_is_left_as_it_is() {
    let place = Place::new();
    let world = &place.world;
    // Weights by a path relative to the recipe, the recipe by one relative to the current folder.
    world.recipe(
        "relative",
        "[vision]\nweights = \"whole/weights/align/vision.safetensors\"\n[checkpoint]\nevery_steps = 2",
    );
    let said = world.menagerie(&["train", "relative.toml", "--out", "first"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let begun = world.path("begun");
    copy(&world.path("first"), &begun);
    fs::remove_file(begun.join("manifest.json")).unwrap();
    let later = [
        "finetune-00000000",
        "finetune-00000002",
        "finetune-00000004",
        "align-00000005",
    ];
    for name in later {
        let _ = fs::remove_dir_all(begun.join("checkpoints").join(name));
    }
    let mut command = place.go(&begun);
    command.current_dir("/");
    let went = crate::place::said(command);
    assert_eq!(went.code, Some(0), "{went:?}");
    for file in ["weights/finetune/llm.safetensors", "metrics.jsonl"] {
        let read = |run: &str| fs::read(world.path(run).join(file)).unwrap();
        assert!(read("begun") == read("first"), "{file}: {went:?}");
    }

    let said = crate::place::said(place.go(&place.whole));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("all stages are done"), "{said:?}");
    assert_eq!(place.differing(&place.whole).len(), 0);
}

#[test]
fn what_is_no_run_or_is_held_by_another_process_is_not_touched() {
    let place = Place::new();
    for (path, code, words) in [
        (place.world.path("images"), 3, "holds no run"),
        (place.world.path("nowhere"), 3, "holds no run"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_menagerie"));
        command.args(["train", "--resume"]).arg(&path);
        let said = said(command);
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.stderr.contains(words), "{said:?}");
        assert!(!path.join(".lock").exists());
    }
    let held = menagerie::train::RunFolder::open(&place.whole).unwrap();
    let said = said(place.go(&place.whole));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stderr.contains("another process is training in"),
        "{said:?}"
    );
    drop(held);
}
