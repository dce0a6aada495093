//! Stages that runs have in common are trained once, and are those of each run.

use std::fs;

use serde_json::Value;

use crate::tiny::{Run, World};
use crate::{rows, sweep};

#[test]
fn a_plan_tells_what_is_shared_and_trains_nothing() {
    let world = World::new();
    world.write("sweep.toml", sweep(""));
    let said = world.menagerie(&["ablate", "sweep.toml", "--plan"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
    assert!(!world.path("sweeps").exists());
    let text = &said.stdout;
    assert!(text.starts_with("sweep         sweep\n"), "{text}");
    assert!(text.contains("runs          8 over tiny.toml\n"), "{text}");
    // 8 runs of 5 and 4 steps; of the first stage 4 in place of 8.
    assert!(
        text.contains("steps         52; sharing stages saves 20\n"),
        "{text}"
    );
    let plan = world
        .menagerie(&["ablate", "sweep.toml", "--plan", "--json"])
        .json();
    let jobs = plan["cost"]["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 12);
    let steps: Vec<u64> = jobs
        .iter()
        .map(|job| job["steps"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [[5; 4].as_slice(), &[4; 8]].concat());
    let shared: Vec<&Value> = jobs.iter().map(|job| &job["after"]).collect();
    assert_eq!(shared[4], shared[6]);
    assert_ne!(shared[4], shared[5]);
    assert_eq!(plan["cost"]["saved_steps"], 20);
}

#[test]
fn a_shared_stage_is_trained_once_and_is_each_runs_own() {
    let world = World::new();
    world.write("sweep.toml", sweep(""));
    let said = world.menagerie(&["ablate", "sweep.toml", "--jobs", "2"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), "sweeps/sweep\n"),
        "{said:?}"
    );
    let shared = fs::read_dir(world.path("sweeps/sweep/shared")).unwrap();
    assert_eq!(shared.count(), 4);
    assert_eq!(rows(&world, "sweeps/sweep").len(), 8);

    // What the sweep made of a point is what training its recipe alone makes of it.
    let name = "linear,learning_rate=0.001,seed=2";
    let alone = world.menagerie(&[
        "train",
        &format!("sweeps/sweep/recipes/{name}.toml"),
        "--out",
        "alone",
    ]);
    assert_eq!(alone.code, Some(0), "{alone:?}");
    let (own, alone) = (
        Run(world.path(&format!("sweeps/sweep/runs/{name}"))),
        Run(world.path("alone")),
    );
    for stage in ["align", "finetune"] {
        assert!(
            own.all_weights(stage) == alone.all_weights(stage),
            "{stage}"
        );
        let answers = format!("answers/{stage}.jsonl");
        assert_eq!(own.bytes(&answers), alone.bytes(&answers));
    }
    for file in ["metrics.jsonl", "scores.jsonl", "recipe.toml"] {
        assert_eq!(own.text(file), alone.text(file), "{file}");
    }
    let manifest: Value = serde_json::from_str(&own.text("manifest.json")).unwrap();
    let forked = &manifest["forked_from"];
    assert_eq!(forked["stages"], serde_json::json!(["align"]));
    assert!(forked["run"].as_str().unwrap().contains("/shared/align-"));

    // Nothing is left to do, and the report stays as it is.
    let before = rows(&world, "sweeps/sweep");
    let again = world.menagerie(&["ablate", "sweep.toml"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.starts_with("12 runs, 0 to train"), "{again:?}");
    assert_eq!(rows(&world, "sweeps/sweep"), before);
}

/// Points that differ in their first stage have nothing in common, and neither have seeds.
#[test]
fn nothing_is_shared_that_is_not_the_same() {
    let world = World::new();
    let text = "base = \"tiny.toml\"\n[axes]\n\"vision.layer\" = [-1, -2]\nseed = [1, 2]";
    world.write("sweep.toml", text);
    let plan = world
        .menagerie(&["ablate", "sweep.toml", "--plan", "--json"])
        .json();
    assert_eq!(plan["cost"]["saved_steps"], 0);
    assert_eq!(plan["cost"]["jobs"].as_array().unwrap().len(), 4);
}

/// A point of the first stage alone is what the others go on from.
#[test]
fn a_point_that_others_begin_with_is_not_trained_twice() {
    let world = World::new();
    let text = "base = \"tiny.toml\"\n[axes]\nstages = [[\"align\"], [\"align\", \"finetune\"]]";
    world.write("sweep.toml", text);
    let said = world.menagerie(&["ablate", "sweep.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.starts_with("2 runs, 2 to train"), "{said:?}");
    let plan = world
        .menagerie(&["ablate", "sweep.toml", "--plan", "--json"])
        .json();
    assert_eq!(plan["cost"]["saved_steps"], 5);
    let jobs = plan["cost"]["jobs"].as_array().unwrap();
    assert!(jobs[0]["after"].is_null());
    assert_eq!(jobs[1]["after"], "runs/stages=align");
    let whole = Run(world.path("sweeps/sweep/runs/stages=align,finetune"));
    assert_eq!(whole.metrics().len(), 9);
}

/// Points that differ behind the encoder share its features.
#[test]
fn points_share_the_features_of_an_encoder() {
    let world = World::new();
    let text = "base = \"tiny.toml\"\n[recipe]\ncache_features = true\n[axes]\n\
                projector = [\"mlp\", \"linear\"]\n\"vision.layer\" = [-1, -2]";
    world.write("sweep.toml", text);
    let said = world.menagerie(&["ablate", "sweep.toml", "--jobs", "1"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    // One folder a layer, in the sweep's own.
    let features = world.path("sweeps/sweep/features");
    assert_eq!(fs::read_dir(&features).unwrap().count(), 2);
    assert!(!world.path("sweeps/sweep/runs/.features").exists());
    let mut computed: Vec<u64> = Vec::new();
    for run in fs::read_dir(world.path("sweeps/sweep/runs")).unwrap() {
        let path = run.unwrap().path().display().to_string();
        let summary = world.menagerie(&["runs", &path, "--json"]).json();
        let stages = summary["stages"].as_array().unwrap().iter();
        computed.push(
            stages
                .map(|stage| stage["features_computed"].as_u64().unwrap())
                .sum(),
        );
    }
    computed.sort_unstable();
    // Each layer's features were computed by one of its two points.
    assert_eq!(computed, [0, 0, 4, 4]);
}
