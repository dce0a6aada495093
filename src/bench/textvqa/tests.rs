//! `TextVQA` on its file, with the figures of LLaVA's evaluation.

use std::fs;

use serde_json::Value;

use super::*;
use crate::bench::short_answer::{cases, fixture};
use crate::bench::testing::{Said, answers as said};

#[test]
fn it_keeps_the_contract() {
    menagerie_core::testing::check_benchmark(TextVqa::NAME);
}

#[test]
fn marks_are_those_of_the_official_evaluator() {
    for case in cases("vqa/scores.jsonl") {
        let item = Item::new("1", "<image>\n?").with_field(ANSWERS, case["answers"].clone());
        let said = said(vec![item], &[case["said"].as_str().expect("text")]);
        let ours = said.marked(&TextVqa::default())[0].mark;
        let theirs = case["m4c"].as_f64().expect("a number");
        assert!(
            (ours - theirs).abs() < 1e-12,
            "{ours}, and not {theirs}: {case}"
        );
    }
}

#[test]
fn answers_in_llavas_form_get_the_scores_of_its_evaluation() {
    let textvqa = TextVqa::default();
    let paths = [fixture("textvqa")];
    let items = textvqa
        .read(&Files::new(&paths, None))
        .expect("own files")
        .expect("questions");
    let predictions = textvqa
        .predictions(&fixture("textvqa/answers.jsonl"))
        .expect("answers");
    let order: Vec<String> = predictions
        .iter()
        .map(|prediction| prediction.id.clone())
        .collect();
    let said = Said::new(items, predictions);
    let marked = said.marked(&textvqa);

    let text = fs::read_to_string(fixture("textvqa/expected.json")).expect("a fixture");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let scores = expected["scores"].as_array().expect("scores");
    assert_eq!(scores.len(), 120);
    for (id, theirs) in order.iter().zip(scores) {
        let ours = marked
            .iter()
            .find(|marked| marked.question.id == id)
            .expect("an answer")
            .mark;
        assert!(
            (ours - theirs.as_f64().expect("a number")).abs() < 1e-12,
            "{id}: {ours}, {theirs}"
        );
    }
    let figure = &textvqa.figures(&marked)[0];
    assert!((figure.value - expected["accuracy"].as_f64().expect("a number")).abs() < 1e-9);
    assert_eq!((figure.name.as_str(), figure.count), ("accuracy", 120));

    // The server knows questions by their numbers.
    let [file] = &textvqa.submission(&marked)[..] else {
        panic!("one file")
    };
    let results: Value = serde_json::from_slice(&file.bytes).expect("JSON");
    assert_eq!(results[0]["question_id"], 34602);
    assert_eq!(results[0]["answer"], marked[0].answer.text);
    assert_eq!(file.name.to_str(), Some("textvqa_val_results.json"));
}

#[test]
fn its_own_file_alone_is_asked_with_the_prompt() {
    let textvqa = TextVqa::default();
    let paths = [fixture("textvqa/TextVQA_0.5.1_val.json")];
    let items = textvqa
        .read(&Files::new(&paths, None))
        .expect("own files")
        .expect("questions");
    assert_eq!(items[1].id, "34603");
    let said = said(items, &["x"; 120]);
    let asked = textvqa.ask(&said.marked(&textvqa)[1].question);
    assert_eq!(
        asked[0].text,
        "<image>\nwhat does sign 1 say?\nAnswer the question using a single word or phrase."
    );
}

#[test]
fn a_split_without_answers_is_submitted_and_not_scored() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("TextVQA_0.5.1_test.json");
    let text = "{\"data\": [{\"question_id\": 5, \"image_id\": \"ab\", \"question\": \"what?\"}]}";
    fs::write(&path, text).expect("a file");
    let textvqa = TextVqa::default();
    let paths = [path];
    let items = textvqa
        .read(&Files::new(&paths, None))
        .expect("own files")
        .expect("questions");
    let said = said(items, &["Stop"]);
    let marked = said.marked(&textvqa);
    assert_eq!(textvqa.figures(&marked)[0].count, 0);
    assert_eq!(
        textvqa.submission(&marked),
        [Submission::new(
            "textvqa_test_results.json",
            "[{\"question_id\":5,\"answer\":\"Stop\"}]"
        )]
    );
}
