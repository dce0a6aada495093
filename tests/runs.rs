//! Looking back at runs: which there are, one of them, and how two differ.
#![cfg(feature = "cli")]

mod tiny;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use menagerie::burn::tensor::Device;
use menagerie::train::{Observer, RunFolder, Score, StagePlan, StepMetrics, StepTiming};
use serde_json::{Value, json};
use tiny::World;

const EVAL: &str = "[eval]\ndata = { conversations = \"questions.json\", images = \"images\" }\n\
                    max_new_tokens = 3\nevery_steps = 2\n";

/// Asks to stop in the second step.
struct Impatient<'a>(&'a AtomicBool);

impl Observer for Impatient<'_> {
    fn stage(&mut self, _plan: &StagePlan) {}
    fn step(&mut self, metrics: &StepMetrics, _timing: &StepTiming) {
        self.0.store(metrics.step == 1, Ordering::Relaxed);
    }
    fn scoring(&mut self, _stage: &str, _done: usize, _total: usize) {}
    fn scored(&mut self, _score: &Score) {}
    fn done(&mut self, _run: &Path) {}
}

/// A run that was stopped after two of its nine steps.
fn stopped(world: &World, name: &str) {
    let recipe = world.recipe(name, "");
    let run = RunFolder::create(&world.path(name)).expect("made");
    let stop = AtomicBool::new(false);
    let observer = &mut Impatient(&stop);
    menagerie::train::train(&recipe, &run, &Device::flex(), observer, &stop)
        .expect_err("it is stopped");
}

/// The line of a table that begins with `name`, its columns.
fn columns<'t>(table: &'t str, name: &str) -> Vec<&'t str> {
    let mut lines = table.lines();
    let line = lines.find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("{name}: {table}"))
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

#[test]
fn runs_are_listed_with_how_far_they_came() {
    let world = World::new();
    fs::create_dir_all(world.path("runs/foreign/deep")).unwrap();
    fs::create_dir_all(world.path("runs/begun")).unwrap();
    world.write("runs/begun/recipe.toml", "name = \"begun\"");
    world.write("runs/a-file", "of something else");
    stopped(&world, "stopped");
    fs::rename(world.path("stopped"), world.path("runs/stopped")).unwrap();
    // A killed process leaves a torn line, and bytes that are no text.
    let metrics = world.path("runs/stopped/metrics.jsonl");
    let mut bytes = fs::read(&metrics).unwrap();
    bytes.extend(b"{\"stage\":\"align\",\"st\xff");
    fs::write(&metrics, bytes).unwrap();
    world.train("trained", EVAL);
    fs::rename(world.path("trained"), world.path("runs/trained")).unwrap();

    let said = world.menagerie(&["runs"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stderr, "note: 1 folder is no run in runs\n");
    let table = &said.stdout;
    assert_eq!(table.lines().count(), 4, "{table}");
    assert_eq!(columns(table, "runs/begun")[1..3], ["begun", "no step yet"]);
    let stopped = columns(table, "runs/stopped");
    assert_eq!(stopped[1..3], ["tiny", "stopped at align 2"]);
    assert_eq!(stopped[4], "2/9");
    let done = columns(table, "runs/trained");
    assert_eq!((done[2], done[4]), ("finished", "9/9"));
    let best = best_of(&world, "runs/trained");
    assert_eq!(done[6], format!("{:.1} %", 100.0 * best));

    let all = world.menagerie(&["runs", "--json"]).json();
    let states: Vec<&Value> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["state"])
        .collect();
    // Runs of the same second are in the order of their names.
    assert_eq!(states, ["new", "stopped", "finished"]);
    let done = &all[2];
    assert_eq!(
        (&done["steps"], &done["best"]["score"]),
        (&json!(9), &json!(best))
    );
    assert_eq!(done["stages"][1]["planned_steps"], 4);

    // As long as a process trains, it holds the folder's lock.
    let lock = File::open(world.path("runs/stopped/.lock")).unwrap();
    lock.lock().unwrap();
    let table = world.menagerie(&["runs"]).stdout;
    assert_eq!(columns(&table, "runs/stopped")[2], "at align 2");
}

fn best_of(world: &World, run: &str) -> f64 {
    let text = fs::read_to_string(world.path(run).join("scores.jsonl")).unwrap();
    let scores = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["score"].as_f64().unwrap()
    });
    scores.fold(0.0, f64::max)
}

#[test]
fn one_run_is_shown_with_its_stages_and_scores() {
    let world = World::new();
    world.train("run", EVAL);
    let said = world.menagerie(&["runs", "run"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
    let text = &said.stdout;
    assert!(text.starts_with("run: tiny, finished\nstarted 2"), "{text}");
    assert_eq!(columns(text, "align  ")[..3], ["align", "5/5", "30"]);
    assert!(text.contains("\nloss in finetune\n"), "{text}");
    // Scores after two and four steps, and at the end of each stage.
    let scores: Vec<&str> = text.lines().filter(|line| line.contains(" %  ")).collect();
    let at = |line: &&str| line.split_whitespace().nth(1).unwrap().to_owned();
    let steps: Vec<String> = scores
        .iter()
        .map(at)
        .filter(|step| !step.contains('/'))
        .collect();
    assert_eq!(steps, ["2", "4", "5", "2", "4"]);
    assert_eq!(text.matches("best").count(), 1);
    let shown = world.menagerie(&["runs", "run", "--json"]).json();
    assert_eq!(shown["scores"].as_array().unwrap().len(), 5);
    assert_eq!(shown["state"], "finished");
}

#[test]
fn two_runs_are_compared() {
    let world = World::new();
    world.train("one", EVAL);
    let questions = world.path("questions.json");
    let other = world.path("other.json");
    // The same questions in another file: only the bytes differ.
    let text = fs::read_to_string(&questions).unwrap();
    fs::write(&other, text + "\n").unwrap();
    let difference = format!(
        "{}[stage.align]\nsteps = 7\noptimizer = {{ learning_rate = 1e-2 }}",
        EVAL.replace("questions.json", "other.json")
    );
    world.train("two", &difference);

    let said = world.menagerie(&["runs", "one", "two", "--html", "page.html"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stderr, "wrote page.html\n");
    let text = &said.stdout;
    assert_eq!(
        columns(text, "stage.align.steps"),
        ["stage.align.steps", "5", "7"]
    );
    let rate = "stage.align.optimizer.learning_rate";
    assert_eq!(columns(text, rate), [rate, "0.003", "0.01"]);
    assert!(!text.contains("stage.finetune.optimizer"), "{text}");
    assert!(
        columns(text, "data  ").last().unwrap().contains(".json"),
        "{text}"
    );

    let found = world.menagerie(&["runs", "one", "two", "--json"]).json();
    let files = found["files"].as_array().unwrap();
    let names: Vec<&str> = files
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    assert!(
        names[0].ends_with("other.json") && names[1].ends_with("questions.json"),
        "{names:?}"
    );
    check_losses(&found);
    check_answers(&world, &found);

    let page = fs::read_to_string(world.path("page.html")).unwrap();
    for outside in [
        "http://", "https://", "src=\"/", "<link", "@import", "<script",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("class=\"other\"") && page.contains("class=\"smooth\""));
    assert!(page.contains(rate));
}

/// At the same steps as long as both go, and at the end of each.
fn check_losses(found: &Value) {
    let pairs = found["losses"].as_array().unwrap();
    let places: Vec<(&str, Option<u64>)> = pairs
        .iter()
        .map(|pair| (pair["stage"].as_str().unwrap(), pair["step"].as_u64()))
        .collect();
    let align = [1, 2, 3, 4, 5].map(|step| ("align", Some(step)));
    let finetune = [1, 2, 3, 4].map(|step| ("finetune", Some(step)));
    let expected = [&align[..], &[("align", None)], &finetune].concat();
    assert_eq!(places, expected);
    // The first step of the first stage is the same one; its rate is 0, so the second is too.
    assert_eq!(pairs[0]["a"], pairs[0]["b"]);
    assert_eq!(pairs[1]["a"], pairs[1]["b"]);
    assert_ne!(pairs[4]["a"], pairs[4]["b"]);
}

/// Fixed and broken are counted anew from the files of answers.
fn check_answers(world: &World, found: &Value) {
    let pairs = found["scores"].as_array().unwrap();
    let last = pairs.last().unwrap();
    assert_eq!(
        (&last["stage"], &last["step"]),
        (&json!("finetune"), &json!(4))
    );
    let right = |run: &str| -> BTreeMap<String, bool> {
        let text = fs::read_to_string(world.path(run).join("answers/finetune.jsonl")).unwrap();
        let lines = text.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            (line["id"].to_string(), line["correct"] == true)
        });
        lines.collect()
    };
    let (one, two) = (right("one"), right("two"));
    let count = |a: bool, b: bool| {
        one.iter()
            .filter(|(id, ours)| **ours == a && two[*id] == b)
            .count()
    };
    let answers = &last["answers"];
    assert_eq!(answers["questions"], 4);
    assert_eq!(answers["fixed"], count(false, true));
    assert_eq!(answers["broken"], count(true, false));
    // The ends of `align` belong together although one has more steps.
    let ends = pairs
        .iter()
        .filter(|pair| pair["stage"] == "align" && pair["is_end"] == true);
    let ends: Vec<&Value> = ends.collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(
        (&ends[0]["a"]["step"], &ends[0]["b"]["step"]),
        (&json!(5), &json!(7))
    );
}

#[test]
fn what_is_no_run_is_refused() {
    let world = World::new();
    stopped(&world, "run");
    for (args, code, message) in [
        (&["runs"][..], 4, "error: cannot read runs"),
        (&["runs", "nowhere"], 4, "error: cannot read nowhere"),
        (&["runs", "run", "nowhere"], 4, "error: cannot read nowhere"),
        (&["runs", "run", "images"], 3, "error: `images` is no run"),
        (
            &["runs", "run", "--html", "x.html"],
            3,
            "--html FILE is for two runs",
        ),
        (&["runs", "run", "run", "run"], 2, "error: "),
    ] {
        let said = world.menagerie(args);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (Some(code), ""),
            "{said:?}"
        );
        assert!(said.stderr.contains(message), "{message}: {said:?}");
    }
    // A folder without a run is none at all.
    let said = world.menagerie(&["runs", "images"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stdout.lines().count(), 1);
}
