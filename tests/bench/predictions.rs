//! Answers that others made.

use serde_json::{Value, json};

use crate::tiny::{COLOURS, Said, World};
use crate::{bytes, done, exact, lines, object, world};

fn score(world: &World, file: &str, more: &[&str]) -> Said {
    let args = [
        "bench",
        "score",
        "exact",
        "exam.json",
        "--predictions",
        file,
    ];
    world.menagerie(&[&args, more].concat())
}

/// Right answers to the first `right` of ten questions, and wrong ones to the others.
fn answers(right: usize) -> Vec<Value> {
    let answer = |number: usize| {
        let name = COLOURS[number % COLOURS.len()].0;
        if number < right { name } else { "pink" }
    };
    let numbers = 0..10;
    numbers
        .map(|number| json!({ "question_id": format!("q{number}"), "text": answer(number) }))
        .collect()
}

fn write(world: &World, name: &str, answers: &[Value]) {
    let lines: Vec<String> = answers.iter().map(|line| line.to_string() + "\n").collect();
    world.write(name, lines.concat());
}

#[test]
fn answers_are_scored_by_their_ids() {
    let world = world();
    let mut said = answers(7);
    said.reverse();
    said.push(json!({ "question_id": "of another exam", "text": "red" }));
    write(&world, "theirs.jsonl", &said);
    let told = done(score(&world, "theirs.jsonl", &["--json"]));
    let score = told.json();
    assert_eq!(score["score"], 0.7);
    assert_eq!(
        score["fit"],
        json!({ "missing": 0, "unknown": 1, "unknown_ids": ["of another exam"] })
    );
    assert!(
        told.stderr
            .contains("1 answers are to no question that is asked"),
        "{told:?}"
    );
    assert!(score.get("model").is_none());
    assert_eq!(score["predictions"]["path"], "theirs.jsonl");
    assert_eq!(score, object(&world, "bench/exact-theirs/score.json"));
    let marks = lines(&world, "bench/exact-theirs/marks.jsonl");
    assert_eq!(marks[0], json!({ "id": "q0#0", "mark": 1.0 }));
}

/// What a run wrote scores as the run did.
#[test]
fn a_runs_own_answers_have_its_score() {
    let world = world();
    done(exact(&world, "out", &[]));
    done(score(&world, "out/answers.jsonl", &["--out", "again"]));
    let [run, again] = ["out", "again"].map(|name| object(&world, &format!("{name}/score.json")));
    assert_eq!(run["figures"], again["figures"]);
    assert_eq!(
        bytes(&world, "out/marks.jsonl"),
        bytes(&world, "again/marks.jsonl")
    );
}

#[test]
fn a_file_that_does_not_fit_is_refused_and_says_where() {
    let world = world();
    let refuse = |name: &str, said: &[Value], message: &str| {
        write(&world, name, said);
        let told = score(&world, name, &["--no-out"]);
        assert!(told.stderr.contains(message), "{message}: {told:?}");
        assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{told:?}");
    };
    let all = answers(10);
    refuse(
        "few.jsonl",
        &all[..8],
        "few.jsonl: 2 of 10 questions have no answer: `q8#0`, `q9#0`; with --partial",
    );
    let twice = [&all[..], &all[3..4]].concat();
    refuse(
        "twice.jsonl",
        &twice,
        "twice.jsonl: question `q3` is answered twice",
    );
    let foreign = [json!({ "question_id": "z", "text": "red" })];
    refuse(
        "foreign.jsonl",
        &foreign,
        "it has `z`, and the questions are `q0#0`, `q1#0`",
    );
    let nameless = [json!({ "text": "red" })];
    refuse(
        "nameless.jsonl",
        &nameless,
        "nameless.jsonl:1: no text or number is called question_id or id",
    );
    let told = score(&world, "nowhere.jsonl", &["--no-out"]);
    assert_eq!(told.code, Some(4), "{told:?}");

    let told = done(score(
        &world,
        "few.jsonl",
        &["--partial", "--json", "--no-out"],
    ))
    .json();
    assert_eq!(
        (&told["score"], &told["answers"], &told["fit"]["missing"]),
        (&json!(1.0), &json!(8), &json!(2))
    );
}
