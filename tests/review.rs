//! Looking at instruction data: a run of `menagerie instruct`, and any data in LLaVA's format.
#![cfg(feature = "cli")]

mod tiny;

use std::fs;

use serde_json::{Value, json};
use tiny::{Said, World};

/// Captions and boxes of three images of COCO's validation set of 2014 (Creative Commons Attribution
/// 4.0), as LLaVA's authors published them.
const CONTEXTS: &str = r#"
{"id": "000000514915", "image": "dog.bmp", "captions": ["A large black dog laying on a kitchen floor.", "A black dog with a red collar laying on a tiled floor."], "instances": [{"category": "dog", "bbox": [0.087, 0.276, 0.812, 0.792]}, {"category": "bowl", "bbox": [0.437, 0.09, 0.533, 0.213]}, {"category": "bowl", "bbox": [0.537, 0.035, 0.665, 0.141]}]}
{"id": "000000441147", "image": "cases.bmp", "captions": ["Two antique suitcases sit stacked one on top of the other."], "instances": [{"category": "suitcase", "bbox": [0.167, 0.025, 0.989, 0.445]}, {"category": "suitcase", "bbox": [0.002, 0.31, 0.994, 0.996]}]}
{"id": "000000408439", "image": "lake.bmp", "captions": ["Cliffs rise on the edge of a placid lake."], "instances": [{"category": "train", "bbox": [0.008, 0.591, 0.562, 0.644]}]}
"#;

fn sample(kind: &str, context: &str, image: &str, turns: &[&str]) -> Value {
    let turns = turns.iter().enumerate().map(|(place, text)| {
        let from = ["human", "gpt"][place % 2];
        json!({"from": from, "value": text})
    });
    json!({
        "id": format!("{context}-{kind}"), "image": image, "context": context, "type": kind,
        "conversations": turns.collect::<Vec<Value>>(), "flags": [],
    })
}

fn samples() -> Vec<Value> {
    let mut reasoning = sample(
        "reasoning",
        "000000408439",
        "lake.bmp",
        &[
            "<image>\nWhy might people take this line?",
            "The track runs along a lake below cliffs, so a traveller sees much. A boat would be slower.",
        ],
    );
    reasoning["flags"] = json!([{"kind": "absent-object", "text": "boat"}]);
    vec![
        sample(
            "conversation",
            "000000514915",
            "dog.bmp",
            &[
                "<image>\nWhat color is the dog?",
                "The dog is black.",
                "How many bowls are there?",
                "There are two bowls.",
                "Where does the dog lie?",
                "The dog is on the kitchen floor.",
            ],
        ),
        sample(
            "detail",
            "000000441147",
            "cases.bmp",
            &[
                "Describe the image.\n<image>",
                "Two old suitcases are stacked, one on the other.",
            ],
        ),
        reasoning,
    ]
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// A world with a run `run`, and its images but for that of the lake in `photos`.
fn world() -> World {
    let world = World::new();
    fs::create_dir(world.path("run")).expect("made");
    fs::create_dir(world.path("photos")).expect("made");
    world.write("run/samples.jsonl", lines(&samples()));
    world.write("run/contexts.jsonl", CONTEXTS.trim_start());
    let reject = json!({
        "context": "000000441147", "type": "conversation", "number": 0, "attempt": 1, "reason": "form",
        "detail": "1 part", "text": "Two suitcases & a <b>lamp</b>.",
    });
    world.write("run/rejects.jsonl", lines(&[reject]));
    world.write("photos/dog.bmp", tiny::rectangle([20, 20, 20], 64, 48));
    world.write("photos/cases.bmp", tiny::rectangle([120, 80, 20], 48, 64));
    world
}

fn review(world: &World, args: &[&str]) -> Said {
    world.menagerie(&[&["instruct", "review"], args].concat())
}

fn page(world: &World, name: &str) -> String {
    fs::read_to_string(world.path(name)).expect("the page is written")
}

#[test]
fn a_run_is_a_page_and_a_few_lines() {
    let world = world();
    let said = review(&world, &["run", "--images", "photos"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stderr, "wrote run/review.html\n");
    for wanted in [
        "conversation        1           3.0                 5                4           7\n",
        "all                 3           1.7                 5                7          18\n",
        "flags             absent-object in 1 sample\n",
        "rejects           form 1\n",
    ] {
        assert!(said.stdout.contains(wanted), "{}", said.stdout);
    }
    let page = page(&world, "run/review.html");
    assert_eq!(page.matches("<article class=\"sample\"").count(), 3);
    assert_eq!(page.matches("href=\"data:image/png;base64,").count(), 2);
    // 64 x 48 pixels are drawn as 480 x 360; the dog's box is 0.087, 0.276, 0.812, 0.792 of them.
    assert!(page.contains("<rect x=\"41.8\" y=\"99.4\" width=\"348.0\" height=\"185.8\"/>"));
    // 48 x 64 as 360 x 480.
    assert!(page.contains("<rect x=\"60.1\" y=\"12.0\" width=\"295.9\" height=\"201.6\"/>"));
    // The lake's is not there: its box is on an empty canvas.
    assert!(page.contains("<rect x=\"3.8\" y=\"212.8\" width=\"265.9\" height=\"19.1\"/>"));
    assert!(page.contains("lake.bmp is not there"));
    for text in [
        "<mark title=\"absent-object\">boat</mark>",
        "A black dog with a red collar laying on a tiled floor.",
        "dog: [0.087, 0.276, 0.812, 0.792]",
        "Two suitcases &amp; a &lt;b&gt;lamp&lt;/b&gt;.",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn statistics_are_json_too() {
    let world = world();
    let json = review(&world, &["run", "--json"]).json();
    assert_eq!(
        json["samples"],
        json!({"conversation": 1, "detail": 1, "reasoning": 1})
    );
    assert_eq!((&json["images"], &json["contexts"]), (&json!(3), &json!(3)));
    assert_eq!(json["turns"]["all"]["count"], 3);
    assert_eq!(
        json["answer_openings"]["commonest"][0]["text"],
        "the dog is"
    );
    assert_eq!(
        json["categories"][0],
        json!({"category": "bowl", "contexts": 1, "boxes": 2})
    );
    assert_eq!(
        json["rejects"][0],
        json!({"reason": "form", "replies": {"conversation": 1}})
    );
    assert_eq!(json["flags"][0]["commonest"], json!([["boat", 1]]));
}

#[test]
fn any_data_in_llavas_format_is_looked_at() {
    let world = world();
    let plain: Vec<Value> = samples()
        .iter()
        .map(|sample| json!({"id": 7, "image": sample["image"], "conversations": sample["conversations"]}))
        .collect();
    world.write(
        "data.json",
        serde_json::to_string_pretty(&plain).expect("JSON"),
    );
    let said = review(&world, &["data.json", "--images", "photos", "--json"]);
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (Some(0), "wrote data.review.html\n")
    );
    assert_eq!(said.json()["samples"], json!({"untyped": 3}));
    let of_file = page(&world, "data.review.html");
    assert_eq!(of_file.matches("<article class=\"sample\"").count(), 3);
    assert!(!of_file.contains("Captions") && !of_file.contains("contexts.jsonl"));
    assert_eq!(of_file.matches("href=\"data:image/png;base64,").count(), 2);

    world.write(
        "pairs.jsonl",
        "{\"image\": \"dog.bmp\", \"caption\": \"a dog\"}\n",
    );
    let json = review(&world, &["pairs.jsonl", "--json", "--out", "pairs.html"]).json();
    assert_eq!(json["question_words"]["all"]["count"], 0);
    assert_eq!(json["answer_words"]["all"]["max"], 2);
    assert!(page(&world, "pairs.html").contains("a dog"));
}

#[test]
fn a_seed_draws_the_samples() {
    let world = world();
    let many: Vec<Value> = (0..300)
        .map(|number| {
            let kind = if number % 100 == 0 {
                "detail"
            } else {
                "conversation"
            };
            let question = format!("<image>\nWhat is {number}?");
            let mut sample = sample(kind, "000000514915", "dog.bmp", &[&question, "A dog."]);
            sample["id"] = json!(number.to_string());
            sample
        })
        .collect();
    world.write("run/samples.jsonl", lines(&many));
    let drawn = |seed: &str| {
        review(&world, &["run", "--samples", "4", "--seed", seed]);
        page(&world, "run/review.html")
    };
    let first = drawn("1");
    assert_eq!(first.matches("<article class=\"sample\"").count(), 4);
    assert_eq!(first.matches("data-type=\"detail\"").count(), 2);
    assert_eq!(first, drawn("1"));
    assert_ne!(first, drawn("2"));
}

#[test]
fn what_a_run_has_not_is_done_without() {
    let world = world();
    fs::remove_file(world.path("run/contexts.jsonl")).expect("removed");
    assert_eq!(review(&world, &["run"]).code, Some(0));
    let without = page(&world, "run/review.html");
    assert_eq!(
        without
            .matches("Its context is not in contexts.jsonl.")
            .count(),
        3
    );

    // Nothing but rejects is worth a look too.
    world.write("run/samples.jsonl", "");
    assert_eq!(review(&world, &["run"]).code, Some(0));
    assert!(page(&world, "run/review.html").contains("No reply was accepted."));
    world.write("run/rejects.jsonl", "");
    let said = review(&world, &["run"]);
    assert!(
        said.code == Some(3) && said.stderr.contains("holds no sample"),
        "{said:?}"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let world = world();
    fs::create_dir(world.path("empty")).expect("made");
    world.write("none.jsonl", "\n");
    world.write("broken.json", "[{\"id\": 1},\n {\"id\": 2}]");
    let cases = [
        (
            &["empty"][..],
            3,
            "empty: no samples.jsonl is in it; name a folder in which `menagerie instruct`",
        ),
        (&["none.jsonl"], 3, "none.jsonl: holds no sample"),
        (
            &["broken.json"],
            3,
            "broken.json:1:2: the sample has neither `conversations` nor a `caption`",
        ),
        (
            &["photos/dog.bmp"],
            3,
            "photos/dog.bmp: data in LLaVA's format is a .json, .jsonl or .ndjson",
        ),
        (&["missing"], 4, "cannot read missing"),
        (&["run", "--images", "missing"], 4, "cannot read missing"),
        (
            &["run", "--out", "run/samples.jsonl"],
            2,
            "the page's name must end in .html",
        ),
        (
            &["run", "--out", "missing/page.html"],
            4,
            "cannot write missing/page.html",
        ),
    ];
    for (args, code, message) in cases {
        let said = review(&world, args);
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.stderr.contains(message), "{said:?}");
        assert_eq!(said.stdout, "");
    }
    let before = fs::read_to_string(world.path("run/samples.jsonl")).expect("kept");
    for (file, text, message) in [
        (
            "samples.jsonl",
            "{\"id\": \"1\"}\n",
            "samples.jsonl:4:11: missing field `image`",
        ),
        ("contexts.jsonl", "[]\n", "contexts.jsonl:4:"),
        ("rejects.jsonl", "nonsense\n", "rejects.jsonl:2:"),
    ] {
        let file = format!("run/{file}");
        let good = fs::read_to_string(world.path(&file)).expect("there");
        world.write(&file, good.clone() + text);
        let said = review(&world, &["run"]);
        assert_eq!(said.code, Some(3), "{said:?}");
        assert!(said.stderr.contains(message), "{said:?}");
        world.write(&file, good);
    }
    assert_eq!(
        fs::read_to_string(world.path("run/samples.jsonl")).expect("kept"),
        before
    );
    assert!(!world.path("run/review.html").exists());
}
