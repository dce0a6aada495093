//! What `recipe plan` says against what a run takes.
//!
//! ```sh
//! cargo bench --bench plan
//! ```
//!
//! prints the table of the book's chapter on training. Every run is a process of its own, and its
//! peak is what `timings.jsonl` says: `VmHWM` of the whole process, nothing taken off. Linux only.

mod sizes;

use std::path::{Path, PathBuf};
use std::process::Command;

use menagerie::train::StepTiming;
use serde_json::Value;
use sizes::{LARGE, MEDIUM, SMALL, Size};

/// Enough that all memory has been asked for.
const STEPS: usize = 6;

fn main() {
    println!("| recipe | stage | planned MiB | measured MiB | difference |");
    println!("| --- | --- | ---: | ---: | ---: |");
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/quickstart.toml");
    let sets: Vec<String> = ["align", "finetune"]
        .iter()
        .flat_map(|stage| {
            [
                format!("stage.{stage}.steps = 60"),
                format!("stage.{stage}.eval = false"),
            ]
        })
        .collect();
    compare("quickstart", &quickstart, &sets);
    for size in [SMALL, MEDIUM, LARGE] {
        let (_folder, recipe) = folder(size);
        compare(size.name, &recipe, &[]);
    }
}

fn folder(size: Size) -> (tempfile::TempDir, PathBuf) {
    size.folder(STEPS)
}

/// Prints a line for each stage. The second one begins with what the first has left in memory, so
/// each has a run of its own.
fn compare(name: &str, recipe: &Path, sets: &[String]) {
    for stage in ["align", "finetune"] {
        let mut sets = sets.to_vec();
        sets.push(format!("stages = [\"{stage}\"]"));
        let planned = planned(recipe, &sets);
        let measured = measured(recipe, &sets);
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "| {name} | {stage} | {:.0} | {:.0} | {:+.1}% |",
            mebibytes(planned),
            mebibytes(measured),
            100.0 * (planned as f64 / measured as f64 - 1.0),
        );
    }
}

fn planned(recipe: &Path, sets: &[String]) -> u64 {
    let said = run(&["recipe", "plan", "--json"], recipe, sets);
    let plan: Value = serde_json::from_slice(&said).expect("JSON");
    plan["plan"]["peak_bytes"].as_u64().expect("a number")
}

fn measured(recipe: &Path, sets: &[String]) -> u64 {
    let out = tempfile::tempdir().expect("a folder");
    let run_folder = out.path().join("run");
    let path = run_folder.display().to_string();
    run(&["train", "--out", &path], recipe, sets);
    let lines = std::fs::read_to_string(run_folder.join("timings.jsonl")).expect("timings");
    let timings = lines
        .lines()
        .map(|line| serde_json::from_str::<StepTiming>(line).expect("a step"));
    timings
        .filter_map(|timing| timing.peak_bytes)
        .max()
        .expect("a system that tells its memory")
}

fn run(args: &[&str], recipe: &Path, sets: &[String]) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
    command.args(args).arg(recipe);
    for set in sets {
        command.args(["--set", set]);
    }
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    output.stdout
}
