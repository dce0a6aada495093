//! POPE on its files, with the official scripts' figures.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::bench::short_answer::fixture;
use crate::bench::testing::{Said, answers};

#[test]
fn it_keeps_the_contract() {
    menagerie_core::testing::check_benchmark(Pope::NAME);
}

fn read(paths: &[PathBuf]) -> Result<Vec<Item>, String> {
    let items = Pope::default()
        .read(&Files::new(paths, None))
        .expect("files of its own");
    items.map_err(|error| error.to_string())
}

#[test]
fn figures_are_those_of_the_official_scripts() {
    let items = read(&[fixture("pope")]).expect("questions");
    let predictions = Pope::default().predictions(&fixture("pope/answers.jsonl"));
    let said = Said::new(items, predictions.expect("answers"));
    assert_eq!(said.items.len(), 126);
    let marked = said.marked(&Pope::default());
    let figures = Pope::default().figures(&marked);

    let text = fs::read_to_string(fixture("pope/expected.json")).expect("a fixture");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let mut f1 = 0.0;
    for (split, named) in expected.as_object().expect("splits") {
        for (ours, theirs) in [
            ("accuracy", "Accuracy"),
            ("precision", "Precision"),
            ("recall", "Recall"),
            ("f1", "F1 score"),
            ("yes share", "Yes ratio"),
        ] {
            let name = format!("{split}: {ours}");
            let figure = figures.iter().find(|figure| figure.name == name);
            let figure = figure.unwrap_or_else(|| panic!("no figure {name}"));
            let theirs = named[theirs].as_f64().expect("a number");
            assert!(
                (figure.value - 100.0 * theirs).abs() < 1e-9,
                "{name}: {}",
                figure.value
            );
            assert_eq!(figure.count, 42);
        }
        f1 += named["F1 score"].as_f64().expect("a number") / 3.0;
    }
    assert_eq!(figures[0].name, "f1");
    assert!((figures[0].value - 100.0 * f1).abs() < 1e-9);
    assert!((Pope::default().total(&marked) - f1).abs() < 1e-12);
}

#[test]
fn popes_own_files_are_asked_with_the_prompt_and_llavas_as_they_are() {
    let named: Vec<_> = ["popular", "random"]
        .map(|split| fixture(&format!("pope/coco_pope_{split}.json")))
        .into();
    let items = read(&named).expect("questions");
    assert_eq!(items.len(), 84, "of the two splits that are named");
    assert_eq!(items[0].id, "random/1");
    let asked = |item: &Item| {
        let question = Question::new(&item.id, &item.turns, &item.truth).with_fields(&item.fields);
        Pope::default().ask(&question)[0].text.clone()
    };
    let llava = read(&[fixture("pope")]).expect("questions");
    assert_eq!(llava[0].id, "10000001");
    assert_eq!(asked(&items[0]), asked(&llava[0]));
    assert!(asked(&items[0]).ends_with("?\nAnswer the question using a single word or phrase."));
}

#[test]
fn a_submission_is_read_back_and_a_file_that_does_not_fit_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let line = |id: u32, label: &str| {
        format!(
            "{{\"question_id\": {id}, \"image\": \"a.jpg\", \"text\": \"Is there a dog in the image?\", \"label\": \"{label}\"}}\n"
        )
    };
    let questions = write("coco_pope_popular.json", &(line(1, "yes") + &line(2, "no")));
    let items = read(std::slice::from_ref(&questions)).expect("questions");
    let said = answers(items, &["Yes", "No."]);
    let submission = Pope::default().submission(&said.marked(&Pope::default()));
    assert_eq!(submission.len(), 1);
    let name = submission[0].name.to_str().expect("a name");
    let text = String::from_utf8(submission[0].bytes.clone()).expect("text");
    assert_eq!(
        text,
        "{\"question\":\"Is there a dog in the image?\",\"answer\":\"Yes\"}\n\
         {\"question\":\"Is there a dog in the image?\",\"answer\":\"No.\"}\n"
    );
    let back = Pope::default()
        .predictions(&write(name, &text))
        .expect("answers");
    assert_eq!(back[1], Prediction::new("popular/2", "No."));
    let nameless = Pope::default()
        .predictions(&write("mine.jsonl", &text))
        .unwrap_err();
    assert!(
        nameless
            .to_string()
            .ends_with("mine.jsonl:1: no text or number is called question_id or questionId or id")
    );

    let whole = read(&[folder.path().to_owned()]).unwrap_err();
    assert!(
        whole.starts_with("there is no `coco_pope_random.json` in "),
        "{whole}"
    );
    let label = write("coco_pope_popular.json", &line(1, "maybe"));
    let error = read(&[label]).unwrap_err();
    assert!(
        error.contains("unknown variant `maybe`, expected `yes` or `no`"),
        "{error}"
    );

    write("coco_pope_popular.json", &line(1, "yes"));
    let llava = write(
        "llava_pope_test.jsonl",
        "{\"question_id\": 1, \"image\": \"b.jpg\", \"text\": \"Is there a dog in the image?\", \"category\": \"popular\"}\n",
    );
    let error = read(&[questions, llava]).unwrap_err();
    assert!(
        error.contains("llava_pope_test.jsonl:1: this is not question 1 of "),
        "{error}"
    );
}
