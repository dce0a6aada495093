use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tensorboard")
}

fn metrics(stage: &str, step: usize, loss: f64) -> StepMetrics {
    StepMetrics {
        stage: stage.to_owned(),
        step,
        loss,
        grad_norm: 2.0 * loss,
        lr: 0.25,
        group_lrs: Vec::new(),
        supervised_tokens: 10,
        tokens: 120,
        samples: 4,
    }
}

fn timing(stage: &str, step: usize) -> StepTiming {
    StepTiming {
        stage: stage.to_owned(),
        step,
        seconds: 0.5,
        wait_seconds: 0.125,
        resident_bytes: (step == 0).then_some(1 << 30),
        peak_bytes: None,
        features_found: None,
        features_computed: None,
    }
}

fn answered(answer: &str) -> Answered {
    Answered {
        id: "q".to_owned(),
        question: "a | b?".to_owned(),
        truth: "red".to_owned(),
        answer: answer.to_owned(),
        correct: answer == "red",
        ..Answered::default()
    }
}

/// Bytes of its last record that a process which was killed had not written.
const TORN: usize = 7;

/// Three steps of one stage, a score, two of the next and part of a third; then a process that goes on from step 4.
fn files() -> [(String, Vec<u8>); 2] {
    let text = |step| {
        (
            step,
            What::summary(vec![Value::text(
                "recipe",
                "```toml\nname = \"tiny\"\n```\n",
            )]),
        )
    };
    let step = |offset: usize, stage, step, loss| {
        let values = step_values(&metrics(stage, step, loss), &timing(stage, step));
        (offset + step, What::summary(values))
    };
    let score = Score {
        stage: "align".to_owned(),
        step: 3,
        questions: 4,
        score: 0.75,
        blind: Some(0.25),
    };
    let scored = (3, What::summary(score_values(&score, &[&answered("red")])));
    let first = vec![
        (0, What::version()),
        (0, What::start()),
        text(0),
        step(0, "align", 0, 4.0),
        step(0, "align", 1, 3.0),
        step(0, "align", 2, 2.5),
        scored,
        step(3, "finetune", 0, 2.0),
        step(3, "finetune", 1, 99.0),
        step(3, "finetune", 2, 98.0),
    ];
    let resumed = vec![
        (0, What::version()),
        (4, What::start()),
        text(4),
        step(3, "finetune", 1, 1.5),
        step(3, "finetune", 2, 1.0),
    ];
    [(1, first, TORN), (2, resumed, 0)].map(|(number, events, torn)| {
        let bytes = events
            .into_iter()
            .flat_map(|(step, what)| encode(1000.0 + step as f64, step, what));
        let mut bytes: Vec<u8> = bytes.collect();
        bytes.truncate(bytes.len() - torn);
        (format!("{PREFIX}{number:010}.menagerie"), bytes)
    })
}

/// The bytes are those that TensorBoard has read; with `MENAGERIE_UPDATE=1` they are written anew,
/// and `make.py` has to read them again.
#[test]
fn the_files_are_those_that_tensorboard_has_read() {
    for (name, bytes) in files() {
        let path = folder().join(&name);
        if std::env::var_os("MENAGERIE_UPDATE").is_some() {
            fs::write(&path, &bytes).expect("the fixture can be written");
        }
        assert!(fs::read(&path).expect("the fixture") == bytes, "{name}");
    }
}

/// `expected.json` is TensorBoard's word: what came after the resumed step before it is gone.
#[test]
fn tensorboard_has_read_what_was_meant() {
    let text = fs::read_to_string(folder().join("expected.json")).expect("the fixture");
    let read: Json = serde_json::from_str(&text).expect("JSON");
    let scalars = json!({
        "train/loss": [[0, 4.0], [1, 3.0], [2, 2.5], [3, 2.0], [4, 1.5], [5, 1.0]],
        "train/grad_norm": [[0, 8.0], [1, 6.0], [2, 5.0], [3, 4.0], [4, 3.0], [5, 2.0]],
        "train/lr": [[0, 0.25], [1, 0.25], [2, 0.25], [3, 0.25], [4, 0.25], [5, 0.25]],
        "train/tokens_per_second":
            [[0, 240.0], [1, 240.0], [2, 240.0], [3, 240.0], [4, 240.0], [5, 240.0]],
        "train/wait_share": [[0, 0.25], [1, 0.25], [2, 0.25], [3, 0.25], [4, 0.25], [5, 0.25]],
        "train/resident_bytes": [[0, 1_073_741_824.0], [3, 1_073_741_824.0]],
        "eval/score": [[3, 0.75]],
        "eval/blind": [[3, 0.25]],
    });
    assert_eq!(read["scalars"], scalars);
    let recipe = "```toml\nname = \"tiny\"\n```\n";
    let answers =
        "| question | truth | answer |\n| --- | --- | --- |\n| a \\| b? | red | ✓ red |\n";
    let texts = json!({ "recipe": [[0, recipe], [4, recipe]], "eval/answers": [[3, answers]] });
    assert_eq!(read["texts"], texts);
}

/// What a full disk does, without one.
#[test]
fn a_write_that_fails_names_the_file() {
    let run = tempfile::tempdir().expect("a folder");
    let mut board =
        TensorBoard::open(run.path(), &Timeline::new([("align", 3)]), 0, "").expect("opened");
    board.file = File::open(&board.path).expect("opened to read alone");
    let error = board
        .step(&metrics("align", 0, 1.0), &timing("align", 0))
        .expect_err("no write to a file that is open to read");
    assert!(matches!(&error, TrainError::Write { path, .. } if *path == board.path));
}

#[test]
fn a_later_process_has_a_file_that_sorts_after_all_others() {
    let run = tempfile::tempdir().expect("a folder");
    let open =
        || TensorBoard::open(run.path(), &Timeline::new([("align", 3)]), 0, "").expect("opened");
    let paths: Vec<PathBuf> = (0..3).map(|_| open().path).collect();
    assert!(paths.is_sorted() && paths[0] != paths[1] && paths[1] != paths[2]);
}
