//! `menagerie data scienceqa`.

use std::process::Command;

use serde_json::json;

use super::Folder;

#[test]
fn what_it_prints_is_data_to_learn_from() {
    let folder = Folder::new();
    let problem = json!({
        "question": "Which is it?", "choices": ["a cat", "a dog"], "answer": 1, "hint": "Look.",
        "image": "image.png", "lecture": "Dogs bark.", "solution": "It barks.", "split": "train",
    });
    folder.write("problems.json", json!({ "7": problem }).to_string());
    folder.write("pid_splits.json", json!({ "train": ["7"] }).to_string());
    let print = |split: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
        command.args(["data", "scienceqa", "--split", split]);
        command
            .arg(folder.path())
            .output()
            .expect("the program starts")
    };
    let printed = print("train");
    assert!(printed.status.success());
    folder.write("train.json", printed.stdout);

    let data = folder.open("train.json").expect("data");
    assert_eq!(data.len(), 1);
    let sample = data.sample(0);
    assert_eq!((&*sample.id, sample.images[0].name()), ("7", "7/image.png"));
    let said: Vec<_> = sample.turns.iter().map(|turn| turn.text.as_str()).collect();
    let question = "Which is it?\nContext: Look.\nOptions: (A) a cat (B) a dog\n<image>";
    assert_eq!(said, [question, "Dogs bark. It barks. The answer is B."]);

    let error = print("test");
    let message = String::from_utf8_lossy(&error.stderr);
    assert!(
        message.contains("there is no such split; there are train"),
        "{message}"
    );
    assert_eq!(error.status.code(), Some(3));
}
