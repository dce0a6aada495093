//! A run that is stopped goes on, and ends as one that was not.

use std::fs;
use std::process::{Command, Stdio};

use crate::{bytes, done, exact, lines, object, world};

#[test]
fn a_run_that_lost_any_part_of_its_answers_ends_equal() {
    let world = world();
    let said = done(exact(&world, "whole", &["--blind"]));
    let whole = bytes(&world, "whole/answers.jsonl");
    let score = object(&world, "whole/score.json");
    assert_eq!(lines(&world, "whole/answers.jsonl").len(), 10);
    assert!(said.stdout.starts_with("figure"), "{said:?}");

    fs::create_dir(world.path("cut")).expect("made");
    fs::copy(world.path("whole/run.json"), world.path("cut/run.json")).expect("copied");
    let line_ends = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let line_ends: Vec<usize> = line_ends.map(|(place, _)| place + 1).collect();
    let within = [0, 1, line_ends[0] - 1, line_ends[1] + 7, whole.len() - 1];
    for end in within
        .into_iter()
        .chain([line_ends[2], line_ends[3], line_ends[8]])
    {
        fs::write(world.path("cut/answers.jsonl"), &whole[..end]).expect("written");
        done(exact(&world, "cut", &["--blind"]));
        assert_eq!(bytes(&world, "cut/answers.jsonl"), whole, "cut at {end}");
        let again = object(&world, "cut/score.json");
        for key in ["figures", "score", "blind", "faults", "questions", "model"] {
            assert_eq!(again[key], score[key], "{key}");
        }
        assert_eq!(
            bytes(&world, "cut/marks.jsonl"),
            bytes(&world, "whole/marks.jsonl")
        );
    }
}

#[test]
fn a_killed_run_goes_on() {
    let world = world();
    done(exact(&world, "whole", &[]));
    let args = "bench run exact run exam.json --images images --batch-size 3 --out killed";
    let mut child = Command::new(env!("CARGO_BIN_EXE_menagerie"))
        .args(args.split(' '))
        .current_dir(world.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let answers = world.path("killed/answers.jsonl");
    // At any moment from the first answer on, also after the last.
    while child.try_wait().expect("it runs").is_none() {
        if fs::metadata(&answers).is_ok_and(|file| file.len() > 0) {
            break;
        }
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("it ended");
    done(exact(&world, "killed", &[]));
    assert_eq!(
        bytes(&world, "killed/answers.jsonl"),
        bytes(&world, "whole/answers.jsonl")
    );
}

#[test]
fn what_is_not_as_it_was_is_named() {
    let world = world();
    done(exact(&world, "out", &[]));
    let before = bytes(&world, "out/score.json");
    let refuse = |args: &[&str], message: &str| {
        let said = exact(&world, "out", args);
        assert!(
            said.stderr.contains("error: out holds another run:"),
            "{said:?}"
        );
        assert!(said.stderr.contains(message), "{message}: {said:?}");
        assert_eq!(said.code, Some(3));
    };
    refuse(&["--limit", "4"], "questions.limit was not there and is 4");
    refuse(&["--blind"], "generation.blind was false and is true");
    refuse(
        &["--max-new-tokens", "3"],
        "generation.config.max_new_tokens was 16 and is 3",
    );
    refuse(&["--chat", "v1"], "generation.prompts_sha256 was ");

    world.train("other", "[stage.align]\nsteps = 1");
    let other = "bench run exact other exam.json --images images --batch-size 3 --out out";
    let said = world.menagerie(&other.split(' ').collect::<Vec<_>>());
    assert!(
        said.stderr.contains("model.weights_sha256 was "),
        "{said:?}"
    );
    assert!(!said.stderr.contains("questions."), "{said:?}");

    let text = String::from_utf8(bytes(&world, "exam.json")).expect("text");
    world.write("exam.json", text.replace("what color", "which color"));
    refuse(&[], "questions.sha256 was ");
    assert_eq!(bytes(&world, "out/score.json"), before, "it is untouched");

    world.write("mine/notes.txt", "");
    let said = exact(&world, "mine", &[]);
    assert!(
        said.stderr
            .contains("mine holds something that is no benchmark's run"),
        "{said:?}"
    );
    assert_eq!(said.code, Some(1));
}

#[test]
fn a_score_says_what_it_is_of() {
    let world = world();
    let said = done(exact(&world, "out", &["--blind", "--json", "--limit", "7"]));
    let score = said.json();
    assert_eq!(score, object(&world, "out/score.json"));
    assert_eq!(score["benchmark"]["name"], "exact");
    assert_eq!(score["questions"]["count"], 7);
    assert_eq!(score["questions"]["files"][0]["path"], "exam.json");
    assert_eq!(score["model"]["path"], "run");
    let recipe = score["model"]["recipe"].as_str().expect("a recipe");
    assert!(recipe.contains("name = \"tiny\""), "{recipe}");
    let prompt = score["generation"]["first_prompt"]
        .as_str()
        .expect("a prompt");
    assert_eq!(prompt, "USER: <image>\nwhat color is the shape? ASSISTANT:");
    assert_eq!(score["generation"]["template"], "hf-llava");
    assert_eq!(score["generation"]["config"]["max_new_tokens"], 16);
    assert_eq!(score["code"]["menagerie"], env!("CARGO_PKG_VERSION"));
    for (table, key) in [
        ("questions", "sha256"),
        ("model", "weights_sha256"),
        ("model", "recipe_sha256"),
        ("generation", "prompts_sha256"),
        ("code", "program"),
    ] {
        assert_eq!(
            score[table][key].as_str().map(str::len),
            Some(64),
            "{table}.{key}"
        );
    }
    let marks = lines(&world, "out/marks.jsonl");
    let sum = |key: &str| -> f64 {
        marks
            .iter()
            .map(|line| line[key].as_f64().expect("a mark"))
            .sum()
    };
    assert_eq!(score["score"].as_f64(), Some(sum("mark") / 7.0));
    assert_eq!(score["blind"]["score"].as_f64(), Some(sum("blind") / 7.0));

    // By default a run lies under its benchmark's and its model's name; and nothing need be kept.
    let args = "bench run exact run exam.json --images images --limit 1";
    let args: Vec<&str> = args.split(' ').collect();
    done(world.menagerie(&args));
    assert!(world.path("bench/exact-run/score.json").is_file());
    let said = done(world.menagerie(&[&args[..], &["--no-out"]].concat()));
    assert!(
        said.stderr.is_empty() || !said.stderr.contains("score:"),
        "{said:?}"
    );
    assert_eq!(
        fs::read_dir(world.path("bench")).expect("listed").count(),
        1
    );
}
