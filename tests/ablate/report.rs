//! The report's numbers are the runs' own.

use std::fs;

use serde_json::Value;

use crate::tiny::World;
use crate::{EVAL, rows};

/// A projector that learns its colours by heart in one setting, and hardly moves in the other.
fn learned(seeds: &str) -> String {
    format!(
        "name = \"rates\"\ndescription = \"A rate that learns & one that does not\"\n\
         base = \"align.toml\"\n[axes]\n\"stage.align.optimizer.learning_rate\" = [1e-9, 1e-2]\n\
         seed = {seeds}\n[recipe.stage.align]\nfreeze = []\nsteps = 100\nbatch_size = 11\n{EVAL}"
    )
}

#[test]
fn the_report_says_what_the_runs_say() {
    let world = World::new();
    world.write("rates.toml", learned("[1, 2, 3]"));
    let said = world.menagerie(&["ablate", "rates.toml", "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let results = said.json();
    let found = rows(&world, "sweeps/rates");
    for (name, row) in &found {
        let run = format!("sweeps/rates/runs/{name}");
        let shown = world.menagerie(&["runs", &run, "--json"]).json();
        let score = shown["scores"].as_array().unwrap().last().unwrap()["score"].as_f64();
        assert_eq!(row["score"].parse().ok(), score, "{name}");
        assert_eq!(row["steps"], "100");
        assert_eq!(row["tokens"], shown["tokens"].to_string());
        assert_eq!(row["parameters"], shown["parameters"].to_string());
        assert_eq!(
            row["trained_parameters"],
            shown["trained_parameters"].to_string()
        );
    }
    let settings = results["settings"].as_array().unwrap();
    let names: Vec<&str> = settings
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["learning_rate 0.000000001", "learning_rate 0.01"]);
    let mean = |prefix: &str| {
        let scores = found.iter().filter(|(name, _)| name.starts_with(prefix));
        let scores: Vec<f64> = scores
            .map(|(_, row)| row["score"].parse().unwrap())
            .collect();
        assert_eq!(scores.len(), 3);
        scores.iter().sum::<f64>() / 3.0
    };
    let of = |setting: &Value| setting["score"]["mean"].as_f64().unwrap();
    assert_eq!(of(&settings[0]), mean("learning_rate=0.000000001"));
    assert_eq!(of(&settings[1]), mean("learning_rate=0.01"));
    let compared = &settings[1]["compared"];
    let difference = compared["difference"].as_f64().unwrap();
    assert!((difference - (of(&settings[1]) - of(&settings[0]))).abs() < 1e-12);
    assert!(settings[0]["compared"].is_null());

    let page = fs::read_to_string(world.path("sweeps/rates/report.html")).unwrap();
    for outside in ["http://", "https://", "src=", "<link", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let text = fs::read_to_string(world.path("sweeps/rates/report.md")).unwrap();
    for said in [
        "A rate that learns &amp; one that does not",
        "That makes 2 settings, 6 runs in all; all are finished",
        "stage.align.optimizer.learning_rate",
        "prefers-color-scheme: dark",
        "Student&#39;s",
        "class=\"of c1\"",
        "runs/learning_rate=0.01,seed=3/report.html",
    ] {
        let said = said.replace("&#39;", "'");
        assert!(page.contains(&said), "{said}");
    }
    assert!(
        text.starts_with("# rates\n\nA rate that learns & one that does not\n"),
        "{text}"
    );
    // The first of the settings is what the second is compared with: the base is neither.
    assert!(
        text.contains("the first setting, the base recipe being none of them"),
        "{text}"
    );

    // The same from what is there.
    fs::remove_file(world.path("sweeps/rates/report.html")).unwrap();
    let said = world.menagerie(&["ablate", "rates.toml", "--report"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), "sweeps/rates\n")
    );
    let again = fs::read_to_string(world.path("sweeps/rates/report.html")).unwrap();
    assert!(again == page);
}

#[test]
fn one_seed_marks_nothing_and_says_why() {
    let world = World::new();
    world.write("rates.toml", learned("[1]"));
    let said = world.menagerie(&["ablate", "rates.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let text = fs::read_to_string(world.path("sweeps/rates/report.md")).unwrap();
    assert!(
        text.contains("not marked: one seed: another one may have given another difference"),
        "{text}"
    );
    assert!(!text.contains("▲ better |"), "{text}");
}

#[test]
fn the_base_is_found_among_the_settings() {
    let world = World::new();
    let text = format!(
        "base = \"tiny.toml\"\n[axes]\nprojector = [\"linear\", \"mlp\"]\nseed = [1, 2]\n{EVAL}"
    );
    world.write("sweep.toml", text);
    let said = world.menagerie(&["ablate", "sweep.toml", "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let results = said.json();
    assert_eq!(
        (&results["base"], &results["base_is_recipe"]),
        (&1.into(), &true.into())
    );
    let differences = results["settings"][0]["differences"].as_array().unwrap();
    let keys: Vec<&str> = differences
        .iter()
        .map(|one| one["key"].as_str().unwrap())
        .collect();
    assert!(keys.contains(&"projector.type"), "{keys:?}");
    assert!(
        results["settings"][1]["differences"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}
