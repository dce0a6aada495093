//! `menagerie data check`: all that is wrong, told before a run.

use serde_json::json;

use super::tiny::{World, says};
use super::{fixture, image};

/// A world in which something is wrong with most samples of `bad.json`.
fn world() -> World {
    let world = World::new();
    let ask = |answer: &str| says(&["<image>\nwhat color is it?", answer]);
    let sample = |id: &str, image: &str, answer: &str| json!({"id": id, "image": image, "conversations": ask(answer)});
    let whole = image("rgb.jpg");
    world.write("images/torn.jpg", &whole[..whole.len() - 300]);
    let mut damaged = image("rgb-square.png");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    world.write("images/damaged.png", damaged);
    let bad = json!([
        sample("good", "red.bmp", "red"),
        sample("ghost", "ghost.bmp", "red"),
        sample("torn", "torn.jpg", "red"),
        sample("torn too", "torn.jpg", "red"),
        sample("damaged", "damaged.png", "red"),
        sample("mute", "red.bmp", " "),
        sample("long", "red.bmp", &"red ".repeat(200)),
        sample("good", "blue.bmp", "blue"),
        {"id": "marked", "conversations": ask("red")},
        {"id": "buried", "conversations": says(&[&"red ".repeat(200), "red"])},
    ]);
    world.write("bad.json", bad.to_string());
    world
}

const STAGE: &str = "extends = \"align.toml\"\n[stage.align.data]\nconversations = \"bad.json\"\n";

#[test]
fn a_recipes_data_is_checked_as_the_recipe_says_and_without_its_weights() {
    let world = world();
    world.write(
        "bad.toml",
        format!("{STAGE}[eval.data]\nconversations = \"data.json\"\nimages = \"images\"\n"),
    );
    let said = world.menagerie(&["data", "check", "bad.toml"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    let folder = format!("{}/", world.path("").display()).replace("//", "/");
    let lines = said.stdout.replace(&folder, "");
    let lines: Vec<&str> = lines.lines().collect();
    let expected = [
        "sample `mute`: nothing-to-learn: no turn by `gpt` has text",
        "sample `marked`: text: its text has 1 `<image>`, but it has 0 images",
        "sample `buried`: nothing-to-learn: no supervised token is left of ",
        "sample `ghost`: missing-image: cannot read image images/ghost.bmp: ",
        "sample `torn`: broken-image: image torn.jpg: the image cannot be decoded: the file ends before its image does",
        "sample `torn too`: broken-image: image torn.jpg: ",
        "sample `damaged`: broken-image: image damaged.png: ",
        "sample `long`: overlong: ",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        let expected = format!("stage.align.data: bad.json: {expected}");
        assert!(line.starts_with(&expected), "{line}\n{expected}");
    }
    for words in [
        "stage.align.data: 10 samples, 5 images of ",
        "; 3 broken-image; 1 missing-image; 2 nothing-to-learn; 1 text; 1 overlong, which are cut; 1 ids that more than one sample has",
        "eval.data: 13 samples",
        "; nothing is wrong",
        "error: 7 faults in 23 samples; mend or remove these samples",
    ] {
        assert!(said.stderr.contains(words), "{words}\n{}", said.stderr);
    }
}

#[test]
fn files_are_checked_by_themselves_and_a_file_that_cannot_be_read_is_one_fault() {
    let world = world();
    world.write("cut.jsonl", "{\"id\": 1");
    let said = world.menagerie(&[
        "data",
        "check",
        "bad.json",
        "cut.jsonl",
        "none.tar",
        "--images",
        "images",
        "--json",
    ]);
    assert_eq!(said.code, Some(3), "{said:?}");
    let found = &said.json()["data"][0];
    assert_eq!(
        found["faults"],
        json!({"broken-image": 3, "file": 1, "missing-image": 1, "nothing-to-learn": 1, "text": 2})
    );
    assert_eq!(found["checked"]["repeated_ids"], json!(["good"]));
    assert_eq!(found["checked"]["samples"], 11);
    let first = &found["checked"]["bad"][0];
    assert_eq!(first["fault"], "file");
    assert_eq!(first["file"], "none.tar");

    // Damage within an image is what a quick look misses.
    let said = world.menagerie(&[
        "data", "check", "bad.json", "--images", "images", "--quick", "--json",
    ]);
    assert_eq!(said.json()["data"][0]["faults"]["broken-image"], 2);

    let said = world.menagerie(&["data", "check", "data.json", "--images", "images", "--json"]);
    assert_eq!(
        (said.code, &said.json()["ok"]),
        (Some(0), &json!(true)),
        "{said:?}"
    );
    let parquet = fixture("parquet/datasets.parquet").display().to_string();
    let said = world.menagerie(&["data", "check", &parquet]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{said:?}");
    assert!(
        said.stderr.contains("3 samples, 3 images of "),
        "{}",
        said.stderr
    );
}

#[test]
fn what_is_no_fault_of_a_sample_is_said_once() {
    let world = world();
    for (args, code, message) in [
        (
            &["data", "check", "align.toml", "--images", "images"][..],
            3,
            "error: `--images` is for data files, and `align.toml` is a recipe",
        ),
        (
            &["data", "check", "data.json", "--set", "seed = 1"],
            3,
            "error: `--set` changes a recipe",
        ),
        (
            &["data", "check", "data.json"],
            3,
            "lies in no folder; name it with `images` in the recipe's data, or with --images",
        ),
        (
            &["data", "check", "nothing"],
            3,
            "error: there is no file `nothing` and no embedded recipe of that name",
        ),
    ] {
        let said = world.menagerie(args);
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.stderr.contains(message), "{message}\n{}", said.stderr);
    }
}
