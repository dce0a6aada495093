//! What a run leaves behind.

use std::fmt::Write;
use std::path::Path;

use menagerie::burn::tensor::Device;
use menagerie::train::StepTiming;
use menagerie::{Component, Recipe};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::tiny::{Run, World};

const EVAL: &str = "[eval]\ndata = { conversations = \"questions.json\", images = \"images\" }\n\
                    max_new_tokens = 3";

#[test]
fn a_run_folder_holds_all_that_the_run_was() {
    let world = World::new();
    let recipe = world.recipe("scored", EVAL);
    let said = world.menagerie(&["train", "scored.toml", "--out", "run"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stdout, "run\n");
    for line in [
        "stage 1 of 2, align: training projector (",
        "stage 2 of 2, finetune: training projector, llm (",
        "score after finetune: ",
        "report: run/report.html",
    ] {
        assert!(said.stderr.contains(line), "{line}: {}", said.stderr);
    }
    let run = Run(world.path("run"));

    let again = Recipe::load(run.0.join("recipe.toml")).expect("the resolved recipe stands alone");
    assert_eq!(again.hash().unwrap(), recipe.hash().unwrap());
    check_manifest(&world, &run, &recipe);
    check_metrics(&run);
    check_timings(&run);
    check_scores(&run);
    check_report(&run);

    let asked = world.menagerie(&["ask", "run", "what is red?", "--max-new-tokens", "2"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
}

fn check_manifest(world: &World, run: &Run, recipe: &Recipe) {
    let manifest: Value = serde_json::from_str(&run.text("manifest.json")).expect("JSON");
    assert_eq!(manifest["seed"], 1);
    assert_eq!(manifest["menagerie"], env!("CARGO_PKG_VERSION"));
    assert_eq!(manifest["recipe_sha256"], recipe.hash().unwrap().as_str());

    let stages = manifest["stages"].as_array().expect("stages");
    let mut hashed = 0;
    let weights = stages.iter().flat_map(|stage| array(&stage["weights"]));
    for file in array(&manifest["data"]).chain(weights) {
        let path = file["path"].as_str().expect("a path");
        // A file of the run is named within it, so that the run can be moved.
        let within = world.path("run").join(path);
        let bytes = std::fs::read(within).expect("the file");
        assert_eq!(file["sha256"], sha256(&bytes).as_str(), "{path}");
        hashed += 1;
    }
    assert_eq!(
        hashed,
        2 + 2 * 3,
        "two data files, three components a stage"
    );

    let trained_in = |path: &str| {
        let mut all = array(&manifest["parameters"]);
        let found = all.find(|parameter| parameter["path"] == path);
        found.unwrap_or_else(|| panic!("{path}"))["trained_in"].to_string()
    };
    let both = r#"["align","finetune"]"#;
    assert_eq!(trained_in("vision.position_embedding"), "[]");
    assert_eq!(trained_in("projector.layers.0.weight"), both);
    assert_eq!(trained_in("llm.layers.0.attention.query.weight"), "[]");
    assert_eq!(
        trained_in("llm.layers.1.attention.query.weight"),
        r#"["finetune"]"#
    );
}

fn check_metrics(run: &Run) {
    let text = run.text("metrics.jsonl");
    let fields = [
        "stage",
        "step",
        "loss",
        "grad_norm",
        "lr",
        "supervised_tokens",
        "tokens",
        "samples",
    ];
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let names: Vec<_> = line.as_object().expect("an object").keys().collect();
        assert_eq!(names, fields);
    }
    let lines = run.metrics();
    let steps: Vec<_> = lines
        .iter()
        .map(|line| (line.stage.as_str(), line.step))
        .collect();
    let align = (0..5).map(|step| ("align", step));
    // 11 samples in batches of 8, twice.
    let finetune = (0..4).map(|step| ("finetune", step));
    assert_eq!(steps, align.chain(finetune).collect::<Vec<_>>());
    let rates: Vec<f64> = lines.iter().map(|line| line.lr).collect();
    // Two steps of warm-up from 0, then half a cosine over three.
    let expected = [0.0, 1.5e-3, 3e-3, 2.25e-3, 7.5e-4];
    for (rate, expected) in rates.iter().zip(expected) {
        assert!((rate - expected).abs() < 1e-9, "{rates:?}");
    }
    for line in &lines {
        assert!(line.loss > 0.0 && line.grad_norm > 0.0 && line.supervised_tokens > 0);
        assert!(line.tokens > line.supervised_tokens);
    }
    // An epoch of `finetune` is 11 samples, and the same tokens whatever their order.
    let samples: Vec<usize> = lines.iter().map(|line| line.samples).collect();
    assert_eq!(samples, [8, 3, 8, 3, 8, 8, 3, 8, 3]);
    let tokens: Vec<usize> = lines.iter().map(|line| line.tokens).collect();
    assert_eq!(tokens[5] + tokens[6], tokens[7] + tokens[8]);
}

/// A line of `timings.jsonl` for each step, and one for each score.
fn check_timings(run: &Run) {
    let text = run.text("timings.jsonl");
    let (scores, steps): (Vec<&str>, Vec<&str>) = text
        .lines()
        .partition(|line| line.contains("score_seconds"));
    assert_eq!(scores.len(), 2);
    let steps: Vec<StepTiming> = steps
        .into_iter()
        .map(|line| serde_json::from_str(line).expect("a step's timing"))
        .collect();
    for (timing, metrics) in steps.iter().zip(run.metrics()) {
        assert_eq!((&timing.stage, timing.step), (&metrics.stage, metrics.step));
        assert!(timing.seconds >= timing.wait_seconds && timing.wait_seconds >= 0.0);
        if cfg!(target_os = "linux") {
            assert!(timing.resident_bytes > Some(0) && timing.peak_bytes >= timing.resident_bytes);
        }
    }
    assert_eq!(steps.len(), 9);
}

fn check_scores(run: &Run) {
    let text = run.text("scores.jsonl");
    let scores: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(scores.len(), 2);
    for (score, (stage, steps)) in scores.iter().zip([("align", 5), ("finetune", 4)]) {
        assert_eq!(
            (&score["stage"], &score["step"]),
            (&stage.into(), &steps.into())
        );
        assert_eq!(score["questions"], 4);
        let answers = run.text(&format!("answers/{stage}.jsonl"));
        let answers = answers
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        let right = answers
            .filter(|answer: &Value| answer["correct"] == true)
            .count();
        assert_eq!(score["score"], right as f64 / 4.0);
        assert!(score["blind"].is_number());
    }
}

/// One file: pictures are inside, and nothing is fetched.
fn check_report(run: &Run) {
    let page = run.text("report.html");
    for outside in [
        "http://",
        "https://",
        "src=\"/",
        "<link",
        "@import",
        "<script src",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    for inside in [
        "<svg",
        "src=\"data:image/",
        "what color is the shape?",
        "align",
        "finetune",
    ] {
        assert!(page.contains(inside), "{inside}");
    }
}

#[test]
fn without_a_folder_runs_are_numbered() {
    let world = World::new();
    world.recipe(
        "short",
        "extends = \"align.toml\"\n[stage.align]\nsteps = 1",
    );
    for folder in ["runs/tiny\n", "runs/tiny-2\n"] {
        let said = world.menagerie(&["train", "short.toml"]);
        assert_eq!(said.stdout, folder, "{said:?}");
    }
}

#[test]
fn the_tokenizer_may_have_any_name() {
    let world = World::new();
    std::fs::rename(world.path("tokenizer.json"), world.path("words.json")).unwrap();
    let run = world.train(
        "named",
        "extends = \"align.toml\"\n[llm]\ntokenizer = \"words.json\"\n[stage.align]\nsteps = 1",
    );
    let model = Recipe::load(run.0.join("model.toml")).unwrap();
    model
        .assemble(&Device::flex())
        .unwrap_or_else(|error| panic!("{error}"));
}

/// A published decoder may name end tokens that its tokenizer does not.
#[test]
fn a_run_keeps_the_end_tokens_of_its_decoder() {
    let world = World::new();
    let device = Device::flex();
    let model = world.recipe("model", "").assemble(&device).unwrap();
    std::fs::create_dir(world.path("llm")).unwrap();
    let weights = world.path("llm/model.safetensors");
    model.save(Component::Llm, &weights).unwrap();
    world.write(
        "llm/generation_config.json",
        r#"{ "eos_token_id": [2, 77] }"#,
    );
    let run = world.train(
        "ends",
        "extends = \"align.toml\"\n[llm]\nweights = \"llm\"\n[stage.align]\nsteps = 1",
    );
    let trained = Recipe::load(run.0.join("model.toml")).unwrap();
    assert_eq!(trained.assemble(&device).unwrap().end_tokens(), [2, 77]);
}

/// A run folder is whole in itself: it can be moved, and what it was made from may go.
#[test]
fn a_run_folder_can_be_moved() {
    let world = World::new();
    let run = world.train("here", "extends = \"align.toml\"\n[stage.align]\nsteps = 1");
    let elsewhere = World::new();
    let there = elsewhere.path("there");
    copy_folder(&run.0, &there);
    drop(world);
    let said = elsewhere.menagerie(&["ask", "there", "what is red?", "--max-new-tokens", "1"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let files = Component::ALL
        .map(|component| there.join(format!("weights/align/{component}.safetensors")));
    assert!(files.iter().all(|file| file.is_file()));
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("an array").iter()
}

fn sha256(bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(bytes) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}
