//! Benchmarks as a user runs them: a model's answers are kept, judged and scored, and compared.
#![cfg(feature = "cli")]

#[path = "misbehave/mod.rs"]
mod misbehave;
mod tiny;

#[path = "bench/judged.rs"]
mod judged;
#[path = "bench/own.rs"]
mod own;
#[path = "bench/predictions.rs"]
mod predictions;
#[path = "bench/resume.rs"]
mod resume;
#[path = "bench/table.rs"]
mod table;

use serde_json::{Value, json};
use tiny::{COLOURS, Said, World, says};

/// A world with a trained model in `run` and ten questions in `exam.json`.
fn world() -> World {
    let world = World::new();
    world.train("run", "");
    let questions = (0..10).map(|number| {
        let (name, _) = COLOURS[number % COLOURS.len()];
        let asked = says(&["<image>\nwhat color is the shape?", name]);
        let image = format!("{name}.bmp");
        json!({ "id": format!("q{number}"), "image": image, "conversations": asked })
    });
    let questions: Value = questions.collect();
    world.write("exam.json", questions.to_string());
    world
}

/// `bench run exact` over the ten questions, three at a time.
fn exact(world: &World, out: &str, more: &[&str]) -> Said {
    let args = [
        "bench",
        "run",
        "exact",
        "run",
        "exam.json",
        "--images",
        "images",
        "--batch-size",
        "3",
        "--out",
        out,
    ];
    world.menagerie(&[&args, more].concat())
}

fn done(said: Said) -> Said {
    assert_eq!(said.code, Some(0), "{said:?}");
    said
}

fn bytes(world: &World, name: &str) -> Vec<u8> {
    std::fs::read(world.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn object(world: &World, name: &str) -> Value {
    serde_json::from_slice(&bytes(world, name)).expect("JSON")
}

fn lines(world: &World, name: &str) -> Vec<Value> {
    let text = String::from_utf8(bytes(world, name)).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}
