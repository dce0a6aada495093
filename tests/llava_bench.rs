//! LLaVA-Bench from the command line: COCO's 90 questions put to a tiny model about stand-ins for the
//! images, and judged by a server that misbehaves.
#![cfg(feature = "cli")]

mod misbehave;
mod tiny;

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use misbehave::{Behaviour, Fault, Received, Server, faulty};
use serde_json::{Value, json};
use tiny::{COLOURS, Said, World, square};

const COCO: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/llava-bench/coco"
);
const WILD: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/llava-bench/wild"
);

fn lines(path: impl AsRef<Path>) -> Vec<Value> {
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}"));
    let parse = |line| serde_json::from_str(line).expect("JSON");
    text.lines().map(parse).collect()
}

/// A trained model in `run`, the published files in `coco`, and in `coco/val2014` an image for each
/// that they name.
fn world() -> World {
    let world = World::new();
    world.train("run", "");
    fs::create_dir_all(world.path("coco/val2014")).expect("made");
    for name in [
        "qa90_questions.jsonl",
        "qa90_gpt4_answer.jsonl",
        "caps_boxes_coco2014_val_80.jsonl",
    ] {
        fs::copy(Path::new(COCO).join(name), world.path("coco").join(name)).expect("copied");
    }
    for (number, question) in lines(world.path("coco/qa90_questions.jsonl"))
        .iter()
        .enumerate()
    {
        let image = question["image"].as_str().expect("a name");
        let (_, colour) = COLOURS[number / 3 % COLOURS.len()];
        world.write(
            &format!("coco/val2014/COCO_val2014_{image}"),
            square(colour),
        );
    }
    world
}

/// By category 8 to 6, 10 to 4, 9 to 9; and four that are not scored, two in `conv` and two in
/// `detail`.
fn reply(number: usize) -> &'static str {
    match number {
        30 => "I cannot say which of them is better.\n8 6",
        31 => "10, 4",
        33 => "",
        34 => "12 4",
        _ => ["8 6\nThe first sees more.", "10,4", "9 9\r\nAlike."][number % 3],
    }
}

/// A judge that knows a question by GPT-4's answer, which no two of them share.
fn judge(request: &Received) -> Behaviour {
    let references = lines(Path::new(COCO).join("qa90_gpt4_answer.jsonl"));
    let asked = request.question();
    let place = references.iter().position(|reference| {
        let text = reference["text"].as_str().expect("a text");
        asked.contains(&format!("[Assistant 1]\n{text}\n\n[End of Assistant 1]"))
    });
    Behaviour::says(reply(place.expect("one of the questions")))
}

/// The same, but a third of its answers is none.
fn faulty_judge() -> Server {
    Server::start(faulty(7, 0.33, Fault::QUICK, judge))
}

fn judged<'a>(server: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let endpoint = [
        "--judge-model",
        "judge-0314",
        "--base-url",
        server,
        "--backoff",
        "0",
        "--retries",
        "30",
        "--in-flight",
        "3",
    ];
    [more, &endpoint].concat()
}

const RUN: [&str; 10] = [
    "bench",
    "run",
    "llava-bench-coco",
    "run",
    "coco",
    "--max-new-tokens",
    "4",
    "--out",
    "out",
    "--json",
];

fn done(said: Said) -> Said {
    assert_eq!(said.code, Some(0), "{said:?}");
    said
}

/// Names, values and counts of the figures in percent.
fn scores(score: &Value) -> Vec<(String, f64, u64)> {
    let figures = score["figures"].as_array().expect("figures");
    let percent = figures.iter().filter(|figure| figure["unit"] == "percent");
    let score = |figure: &Value| {
        let name = figure["name"].as_str().expect("a name");
        // To a hundredth, as one reads it.
        let value = (100.0 * figure["value"].as_f64().expect("a value")).round() / 100.0;
        (
            name.to_owned(),
            value,
            figure["count"].as_u64().expect("a count"),
        )
    };
    percent.map(score).collect()
}

/// `conv`: 28 times 8 to 6; `detail`: 28 times 10 to 4; `complex`: 30 times 9 to 9. Over all
/// (168 + 112 + 270) / (224 + 280 + 270) = 550 / 774.
fn expected() -> Vec<(String, f64, u64)> {
    let scores = [
        ("overall", 71.06, 86),
        ("conv", 75.0, 28),
        ("detail", 40.0, 28),
        ("complex", 100.0, 30),
    ];
    scores
        .map(|(name, value, count)| (name.to_owned(), value, count))
        .to_vec()
}

#[test]
fn a_run_that_is_killed_while_a_faulty_judge_judges_goes_on_to_its_score() {
    let world = world();
    let server = faulty_judge();
    let url = server.url();
    let mut child = Command::new(env!("CARGO_BIN_EXE_menagerie"))
        .args(judged(&url, &RUN))
        .current_dir(world.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    // At any moment from the first review on, also after the last.
    let reviews = world.path("out/reviews.jsonl");
    while child.try_wait().expect("it runs").is_none() {
        if fs::metadata(&reviews).is_ok_and(|file| file.len() > 0) {
            break;
        }
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("it ended");

    let score = done(world.menagerie(&judged(&url, &RUN))).json();
    assert_eq!(scores(&score), expected());
    let faults = json!({
        "empty review": 1, "review with scores out of range": 1, "review without two scores": 2,
    });
    assert_eq!(score["faults"], faults);
    assert_eq!(score["judge"]["model"], "judge-0314");
    let ids: HashSet<String> = lines(&reviews)
        .iter()
        .map(|line| line["question_id"].to_string())
        .collect();
    assert_eq!((lines(&reviews).len(), ids.len()), (90, 90));

    // Of what is there, nothing is asked again; and nobody need be there to be asked.
    let before = server.received().len();
    let again = done(world.menagerie(&judged(&url, &RUN))).json();
    assert_eq!(again["figures"], score["figures"]);
    assert_eq!(server.received().len(), before);

    // What is written for the original's scripts is read again: the reviews, which need no judge, and
    // the answers, which do.
    let from = |file: &'static str, out: &'static str| {
        let all = [
            "bench",
            "score",
            "llava-bench-coco",
            "coco",
            "--json",
            "--predictions",
            file,
        ];
        [&all[..], &["--out", out]].concat()
    };
    let args = from("out/submission/reviews.jsonl", "theirs");
    let theirs = done(world.menagerie(&args)).json();
    assert_eq!(theirs["figures"], score["figures"]);
    assert_eq!(theirs["faults"], score["faults"]);
    assert_eq!(server.received().len(), before);
    let args = from("out/submission/answers.jsonl", "judged");
    let said = world.menagerie(&args);
    assert!(said.stderr.contains("judge"), "{said:?}");
    assert_ne!(said.code, Some(0));
    let judged = done(world.menagerie(&judged(&url, &args))).json();
    assert_eq!(judged["figures"], score["figures"]);
}

#[test]
fn a_judges_replies_are_not_thrown_away() {
    let world = world();
    let mut args = RUN[..5].to_vec();
    args.push("--no-out");
    let said = world.menagerie(&judged("http://127.0.0.1:9/v1", &args));
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("name a folder with --out"), "{said:?}");
}

/// The original's script wrote these reviews: 2 to 8 and 7 to 7 in `conv`, 4 to 3 and 7 to 6.5 in
/// `complex`, and 0.1 to 9 in `detail`, which is out of range.
#[test]
fn reviews_that_the_original_wrote_are_scored() {
    let world = World::new();
    let reviews = format!("{WILD}/reviews.jsonl");
    let args = [
        "bench",
        "score",
        "llava-bench-wild",
        WILD,
        "--predictions",
        &reviews,
    ];
    let score = done(world.menagerie(&[&args[..], &["--json", "--no-out"]].concat())).json();
    let expected = [
        ("overall", 122.5, 4),
        ("conv", 166.67, 2),
        ("complex", 86.36, 2),
    ];
    let expected = expected.map(|(name, value, count)| (name.to_owned(), value, count));
    assert_eq!(scores(&score), expected);
    assert_eq!(
        score["faults"],
        json!({ "review with scores out of range": 1 })
    );
    let means: Vec<_> = score["figures"].as_array().expect("figures")[3..]
        .iter()
        .map(|figure| (figure["name"].as_str(), figure["value"].as_f64()))
        .take(4)
        .collect();
    let conv = [("conv, reference", 45.0), ("conv, model", 75.0)];
    assert_eq!(
        means[2..],
        conv.map(|(name, value)| (Some(name), Some(value)))
    );

    // A rule of one's own is read, and what it makes is called otherwise.
    let published = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/bench/llava_bench/rule.json"
    );
    let text = fs::read_to_string(published).expect("the rules");
    world.write("rule.json", text.replace("1 to 10", "one to ten"));
    let own = [
        &args[..],
        &["--set", "rule=rule.json", "--json", "--no-out"],
    ]
    .concat();
    let own = done(world.menagerie(&own)).json();
    let name = own["figures"][0]["name"].as_str().expect("a name");
    assert!(name.starts_with("overall (rule "), "{name}");

    // And none of the other edition's.
    let other = [
        "bench",
        "score",
        "llava-bench-coco",
        COCO,
        "--predictions",
        &reviews,
    ];
    let said = world.menagerie(&other);
    let message = "reviews.jsonl:1: `llava_bench_conv` is no category of llava-bench-coco";
    assert!(said.stderr.contains(message), "{said:?}");
}
