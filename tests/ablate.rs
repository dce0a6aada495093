//! An ablation as a user has it: a sweep in, a table of what came of it out; what is shared, what
//! fails, and how a sweep goes on.
#![cfg(feature = "cli")]

#[path = "ablate/errors.rs"]
mod errors;
#[path = "ablate/fork.rs"]
mod fork;
#[path = "ablate/report.rs"]
mod report;
#[path = "ablate/resume.rs"]
mod resume;
#[path = "ablate/sharing.rs"]
mod sharing;
mod tiny;

use std::collections::BTreeMap;
use std::fs;

use tiny::World;

/// Questions, and no more than one processor's thread for each run.
const EVAL: &str = "[recipe.eval]\ndata = { conversations = \"questions.json\", images = \"images\" }\n\
                    max_new_tokens = 3\n";

/// Two projectors and two rates of the second stage with two seeds: the four beginnings are shared.
fn sweep(more: &str) -> String {
    format!(
        "base = \"tiny.toml\"\n{more}\n[axes]\nprojector = [\"mlp\", \"linear\"]\n\
         \"stage.finetune.optimizer.learning_rate\" = [3e-3, 1e-3]\nseed = [1, 2]\n{EVAL}"
    )
}

/// A run's row of `report.csv` by the names of its columns; rows by the names of the runs.
fn rows(world: &World, folder: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let text = fs::read_to_string(world.path(folder).join("report.csv")).unwrap();
    let mut lines = text.lines().map(cells);
    let head = lines.next().unwrap();
    lines
        .map(|cells| {
            let row: BTreeMap<String, String> = head.iter().cloned().zip(cells).collect();
            (row["run"].clone(), row)
        })
        .collect()
}

/// The cells of a line whose quotes hold no line break.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}
