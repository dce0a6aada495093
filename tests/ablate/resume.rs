//! A sweep goes on: after a failure, after Ctrl-C, after a kill.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::tiny::World;
use crate::{EVAL, rows};

/// Long enough to be stopped on its way.
const LONG: &str = "base = \"tiny.toml\"\n[axes]\n\"stage.finetune.steps\" = [60, 70]\nseed = [1, 2]\n\
                    [recipe.checkpoint]\nevery_steps = 5\n";

fn start(world: &World, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_menagerie"))
        .args(args)
        .current_dir(world.path("."))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_mins(2), "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether some run in the folder has come so far.
fn has_checkpoint(runs: &Path, step: &str) -> bool {
    let runs = fs::read_dir(runs).into_iter().flatten().flatten();
    runs.into_iter()
        .any(|run| run.path().join("checkpoints").join(step).is_dir())
}

/// Scores and steps of each run: what does not depend on time.
fn timeless(world: &World, folder: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut rows = rows(world, folder);
    for row in rows.values_mut() {
        row.remove("seconds");
    }
    rows
}

#[test]
fn a_sweep_that_was_killed_ends_as_one_that_was_not() {
    let world = World::new();
    world.write("long.toml", format!("{LONG}{EVAL}"));
    let whole = world.menagerie(&["ablate", "long.toml", "--out", "whole"]);
    assert_eq!(whole.code, Some(0), "{whole:?}");

    let args = ["ablate", "long.toml", "--out", "killed", "--jobs", "2"];
    let mut sweep = start(&world, &args);
    let runs = world.path("killed/runs");
    wait_for("a run with a checkpoint", || {
        has_checkpoint(&runs, "finetune-00000010")
    });
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    // Its runs see that it is gone, save and stop, which is waited for.
    let again = world.menagerie(&args);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains(" goes on\n"), "{again:?}");
    assert_eq!(timeless(&world, "killed"), timeless(&world, "whole"));
    for (name, row) in rows(&world, "whole") {
        let weights = format!("runs/{name}/weights/finetune/llm.safetensors");
        let [one, other] =
            ["whole", "killed"].map(|folder| fs::read(world.path(folder).join(&weights)).unwrap());
        assert!(one == other, "{row:?}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_all_runs() {
    let world = World::new();
    world.write("long.toml", LONG.replace("60, 70", "6000, 7000"));
    let args = ["ablate", "long.toml", "--jobs", "2"];
    let sweep = start(&world, &args);
    let runs = world.path("sweeps/long/runs");
    wait_for("a run with a checkpoint", || {
        has_checkpoint(&runs, "finetune-00000010")
    });
    let pid = sweep.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let output = sweep.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains(" is saved\n"), "{said}");
    assert!(
        said.ends_with("stopped; the same command goes on with the sweep in sweeps/long\n"),
        "{said}"
    );
    let csv = rows(&world, "sweeps/long");
    assert!(
        csv.values().all(|row| row["outcome"] == "unfinished"),
        "{csv:?}"
    );
    let report = fs::read_to_string(world.path("sweeps/long/report.md")).unwrap();
    assert!(report.contains("4 not yet at their end"), "{report}");
}

#[test]
fn a_run_that_fails_does_not_stop_the_others_and_is_tried_again() {
    let world = World::new();
    let text = "base = \"tiny.toml\"\n[axes]\ndata = [\"here\", \"gone\"]\nseed = [1, 2]\n\
                [alternatives.data]\nhere = {}\n\
                gone = { stage.align.data.conversations = \"gone.json\" }\n";
    world.write("sweep.toml", format!("{text}{EVAL}"));
    let said = world.menagerie(&["ablate", "sweep.toml"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stderr
            .contains("error: 2 of 4 runs failed; sweeps/sweep/report.html says which and why"),
        "{said:?}"
    );
    let found = rows(&world, "sweeps/sweep");
    assert_eq!(found["here,seed=1"]["outcome"], "finished");
    assert_eq!(found["gone,seed=2"]["outcome"], "failed");
    assert!(
        found["gone,seed=2"]["error"].contains("gone.json"),
        "{found:?}"
    );
    for report in ["report.html", "report.md"] {
        let report = fs::read_to_string(world.path("sweeps/sweep").join(report)).unwrap();
        assert!(report.contains("What failed") && report.contains("gone.json"));
    }
    fs::copy(world.path("data.json"), world.path("gone.json")).unwrap();
    let said = world.menagerie(&["ablate", "sweep.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.starts_with("4 runs, 2 to train"), "{said:?}");
    let found = rows(&world, "sweeps/sweep");
    assert!(
        found
            .values()
            .all(|row| row["error"].is_empty() && row["outcome"] == "finished")
    );
    // The same data under another name.
    assert_eq!(found["gone,seed=1"]["score"], found["here,seed=1"]["score"]);
}

#[test]
fn a_shared_stage_that_fails_fails_what_goes_on_from_it() {
    let world = World::new();
    let text = "base = \"tiny.toml\"\n[axes]\nrate = [\"sane\", \"mad\"]\n\"stage.finetune.steps\" = [1, 2]\n\
                [alternatives.rate]\nsane = {}\n\
                mad = { stage.align.data.images = \"nowhere\" }\n";
    world.write("sweep.toml", text);
    let said = world.menagerie(&["ablate", "sweep.toml"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let found = rows(&world, "sweeps/sweep");
    assert_eq!(found["sane,steps=2"]["outcome"], "finished");
    assert_eq!(found["sane,steps=1"]["outcome"], "finished");
    let error = &found["mad,steps=2"]["error"];
    assert!(error.starts_with("its shared stages `align-"), "{error}");
}
