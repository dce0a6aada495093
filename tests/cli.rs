//! A user's day with a model: ask it, talk to it, score it. stdout is data, stderr is talk.
#![cfg(feature = "cli")]

mod tiny;

use serde_json::{Value, json};
use tiny::{COLOURS, World, says};

const QUESTION: &str = "what color is the shape?";

/// A world whose folder `run` holds a model that has learned its colours by heart.
fn trained() -> World {
    let world = World::new();
    world.train(
        "run",
        "extends = \"align.toml\"\n[stage.align]\nfreeze = []\nsteps = 100\nbatch_size = 11\n\
         optimizer = { learning_rate = 1e-2 }",
    );
    world
}

fn image(name: &str) -> String {
    format!("images/{name}.bmp")
}

#[test]
fn a_model_is_asked() {
    let world = trained();
    for (name, _) in COLOURS {
        let said = world.menagerie(&["ask", "run", "--image", &image(name), QUESTION]);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
        assert_eq!(said.stdout, format!("{name}\n"));
    }
    let red = image("red");
    let ask = |more: &[&str]| {
        let args = [&["ask", "run", "--image", &red, QUESTION], more].concat();
        world.menagerie(&args)
    };
    let answer = ask(&["--json"]).json();
    assert_eq!(
        (&answer["text"], &answer["finish"]),
        (&json!("red"), &json!("end_token"))
    );
    assert!(answer["ids"].as_array().is_some_and(|ids| !ids.is_empty()));
    assert_eq!(ask(&["--stop", "e"]).stdout, "r\n");
    assert_eq!(
        ask(&["--max-new-tokens", "1", "--json"]).json()["finish"],
        "length"
    );
    let drawn = |seed: &str| {
        ask(&[
            "--temperature",
            "9",
            "--seed",
            seed,
            "--max-new-tokens",
            "9",
        ])
        .stdout
    };
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));

    let pair = [image("green"), image("yellow")];
    let said = world.menagerie(&[
        "ask", "run", "--image", &pair[0], "--image", &pair[1], "which?",
    ]);
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn a_question_that_cannot_be_answered_says_why() {
    let world = World::new();
    world.train("run", "extends = \"align.toml\"\n[stage.align]\nsteps = 1");
    world.write("images/broken.bmp", "no picture");
    std::fs::create_dir(world.path("empty")).unwrap();
    for (args, code, message) in [
        (
            &["ask", "nowhere", "hello"][..],
            4,
            "error: cannot read nowhere",
        ),
        (&["ask", "empty", "hello"], 4, "error: `empty` is no model"),
        (
            &["ask", "run", "--image", "images/none.bmp", "hello"],
            4,
            "error: cannot read images/none.bmp\n  because: No such file",
        ),
        (
            &["ask", "run", "--image", "images/broken.bmp", "hello"],
            3,
            "error: image images/broken.bmp\n  because: not an image",
        ),
        (
            &["ask", "run", "<image> hello"],
            3,
            "1 times `<image>` and 0 images",
        ),
        (
            &["ask", "run", &"red ".repeat(300)],
            3,
            "the decoder takes 256",
        ),
        (&["ask", "run"], 2, "error: "),
        (
            &["ask", "run", "hello", "--temperature", "-1"],
            2,
            "must be a number from 0 on",
        ),
        (
            &["ask", "run", "hello", "--top-p", "1.5"],
            2,
            "must be a number from 0 to 1",
        ),
        (
            &["bench", "run", "exact", "run", "nothing.json"],
            4,
            "error: cannot read nothing.json",
        ),
        (
            &["bench", "run", "exact", "run", "questions.json"],
            3,
            "name it with `images`",
        ),
    ] {
        let said = world.menagerie(args);
        assert!(said.stderr.contains(message), "{message}: {said:?}");
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (Some(code), ""),
            "{said:?}"
        );
    }
}

/// Two of four are right: one of them but for case and a full stop.
#[test]
fn a_model_is_scored_on_exact_answers() {
    let world = trained();
    let sample = |name: &str, truth: &str| {
        let asked = says(&[&format!("<image>\n{QUESTION}"), truth]);
        json!({ "id": name, "image": format!("{name}.bmp"), "conversations": asked })
    };
    let twice = says(&[&format!("<image>\n{QUESTION}"), "green", QUESTION, "purple"]);
    let exam = json!([
        sample("red", "Red."),
        sample("blue", "reddish"),
        { "id": "green", "image": "green.bmp", "conversations": twice },
    ]);
    world.write("exam.json", exam.to_string());
    let exam = |more: &[&str]| {
        let args = [
            "bench",
            "run",
            "exact",
            "run",
            "exam.json",
            "--images",
            "images",
        ];
        let said = world.menagerie(&[&args, more].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        said
    };
    let args = ["--json", "--blind", "--out", "out", "--batch-size", "3"];
    let score = exam(&args).json();
    assert_eq!(
        (&score["answers"], &score["score"]),
        (&json!(4), &json!(0.5))
    );

    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(world.path(name)).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    };
    let (answers, marks) = (lines("out/answers.jsonl"), lines("out/marks.jsonl"));
    let column = |key: &str| {
        answers
            .iter()
            .map(|answer| answer[key].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(column("id"), ["red#0", "blue#0", "green#0", "green#1"]);
    assert_eq!(column("truth"), ["Red.", "reddish", "green", "purple"]);
    assert_eq!(column("answer"), ["red", "blue", "green", "green"]);
    assert_eq!(column("question"), [QUESTION; 4]);
    let marked: Vec<_> = marks.iter().map(|mark| mark["mark"].as_f64()).collect();
    assert_eq!(marked, [1.0, 0.0, 1.0, 0.0].map(Some));
    let blind: Vec<_> = column("blind").into_iter().zip(column("truth")).collect();
    let right = blind.iter().filter(|(blind, truth)| {
        blind.as_str().unwrap() == truth.as_str().unwrap().trim_end_matches('.').to_lowercase()
    });
    assert_eq!(score["blind"]["score"], right.count() as f64 / 4.0);
    // All images are the same grey, so the same question has the same answer.
    assert!(blind[..3].iter().all(|(answer, _)| *answer == blind[0].0));

    let said = exam(&["--limit", "1", "--no-out"]);
    assert_eq!(
        said.stdout,
        "figure    value  answers\nscore   100.0 %        1\n"
    );
    let json = exam(&["--limit", "1", "--no-out", "--json"]).json();
    assert_eq!(json.get("blind"), None);
}

#[test]
fn a_conversation_goes_on_after_mistakes() {
    let world = trained();
    world.write("images/broken.bmp", "no picture");
    let lines = [
        "/image images/red.bmp",
        QUESTION,
        "/reset",
        "",
        "/dance",
        "/image images/none.bmp",
        "/image images/broken.bmp",
        QUESTION,
        "/image images/blue.bmp",
        QUESTION,
        "/quit",
        QUESTION,
    ];
    let said = world.menagerie_reading(&lines.join("\n"), &["chat", "run"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stdout, "red\nblue\n", "{said:?}");
    for message in [
        "there is no `/dance`",
        "cannot read images/none.bmp",
        "image 1: ",
        "/reset       forget the conversation",
    ] {
        assert!(said.stderr.contains(message), "{message}: {said:?}");
    }

    // The images given at the start go with the first question; the second question follows it.
    let args = ["chat", "run", "--image", &image("green")];
    let said = world.menagerie_reading(&format!("{QUESTION}\n{QUESTION}"), &args);
    assert_eq!(
        (said.code, said.stdout.lines().next()),
        (Some(0), Some("green")),
        "{said:?}"
    );
    assert_eq!(said.stdout.lines().count(), 2);
}

#[test]
fn a_trained_model_is_asked_and_written_quantised() {
    let world = trained();
    let red = image("red");
    let ask = |model: &str, more: &[&str]| {
        let args = [&["ask", model, "--image", &red, QUESTION], more].concat();
        world.menagerie(&args)
    };
    for option in ["--quantize", "--dtype"] {
        let said = ask("run", &[option, "q8"]);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (Some(0), "red\n"),
            "{said:?}"
        );
    }
    let export = |out: &str, layout: &str| {
        world.menagerie(&["export", "run", out, "--layout", layout, "--quantize", "q8"])
    };
    let said = export("q8", "gguf");
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), "q8\n"),
        "{said:?}"
    );
    let stated = std::fs::read_to_string(world.path("q8/model.toml")).expect("there");
    assert!(stated.contains("dtype = \"q8\""), "{stated}");
    let said = ask("q8", &[]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), "red\n"),
        "{said:?}"
    );

    // Other layouts have no blocks, and what is quantised cannot learn.
    let said = export("hf", "hf");
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stderr.contains("`hf` holds no weights in q8"),
        "{said:?}"
    );
    assert!(!world.path("hf").exists());
    let said = world.menagerie(&["train", "align.toml", "--out", "no", "--set", "dtype='q8'"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stderr.contains("quantised weights cannot learn"),
        "{said:?}"
    );
}
