//! VQA v2 on its files, with the official script's figures.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::bench::short_answer::{cases, fixture};
use crate::bench::testing::{Said, answers as said};

#[test]
fn it_keeps_the_contract() {
    menagerie_core::testing::check_benchmark(Vqa::NAME);
}

fn people(case: &Value) -> Vec<&str> {
    let answers = case["answers"].as_array().expect("answers");
    answers
        .iter()
        .map(|answer| answer.as_str().expect("text"))
        .collect()
}

#[test]
fn accuracies_are_those_of_the_official_script() {
    let cases = cases("vqa/scores.jsonl");
    assert!(cases.len() > 150);
    for case in &cases {
        let said = case["said"].as_str().expect("text");
        let ours = accuracy(&people(case), said);
        let theirs = case["vqa"].as_f64().expect("a number");
        assert!(
            (ours - theirs).abs() < 1e-12,
            "{ours}, and not {theirs}: {case}"
        );
    }
}

/// The cases above as files of the split `val2014`, and the answers as another program's.
fn world(folder: &Path) -> PathBuf {
    let cases = cases("vqa/scores.jsonl");
    let (mut questions, mut annotations, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for (id, case) in (458_752_000..).zip(&cases) {
        let answers = people(case)
            .into_iter()
            .map(|answer| json!({ "answer": answer }));
        questions
            .push(json!({ "question_id": id, "image_id": 458_752, "question": "What is it?" }));
        annotations.push(json!({
            "question_id": id, "image_id": 458_752, "question_type": "what is",
            "answer_type": case["type"], "multiple_choice_answer": case["answers"][0],
            "answers": answers.collect::<Vec<_>>(),
        }));
        results.push(json!({ "question_id": id, "answer": case["said"] }));
    }
    for (name, content) in [
        (
            "v2_OpenEnded_mscoco_val2014_questions.json",
            json!({ "questions": questions }),
        ),
        (
            "v2_mscoco_val2014_annotations.json",
            json!({ "annotations": annotations }),
        ),
        ("results.json", json!(results)),
    ] {
        fs::write(folder.join(name), content.to_string()).expect("a file");
    }
    folder.join("results.json")
}

#[test]
fn figures_are_those_of_the_official_script() {
    let folder = tempfile::tempdir().expect("a folder");
    let results = world(folder.path());
    let vqa = Vqa {
        rewrite: Rewrite::None,
        ..Vqa::default()
    };
    let paths = [folder.path().to_owned()];
    let items = vqa
        .read(&Files::new(&paths, None))
        .expect("own files")
        .expect("questions");
    let image = menagerie_core::benchmark::ItemImage::File(
        folder.path().join("val2014/COCO_val2014_000000458752.jpg"),
    );
    assert_eq!(items[0].images, [image]);
    let said = Said::new(items, vqa.predictions(&results).expect("answers"));
    let figures = vqa.figures(&said.marked(&vqa));

    let text = fs::read_to_string(fixture("vqa/accuracy.json")).expect("a fixture");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let close = |figure: &Figure, theirs: &Value| {
        let theirs = theirs.as_f64().expect("a number");
        assert!(
            (figure.value - theirs).abs() < 1e-9,
            "{figure:?}, and not {theirs}"
        );
    };
    close(&figures[0], &expected["overall"]);
    for (figure, kind) in figures[1..].iter().zip(["yes/no", "number", "other"]) {
        assert_eq!(figure.name, format!("answer type: {kind}"));
        close(figure, &expected["perAnswerType"][kind]);
    }
    assert_eq!(figures.len(), 4);
}

#[test]
fn llavas_rewriting_decides_where_all_people_agree() {
    let marks = |rewrite| {
        let vqa = Vqa {
            rewrite,
            ..Vqa::default()
        };
        let item = Item::new("1", "<image>\nIs it red?")
            .with_truth("yes")
            .with_field("answers", vec!["yes"; 10]);
        let said = said(vec![item; 2], &["Yes", "yes"]);
        said.marked(&vqa)
            .iter()
            .map(|marked| marked.mark)
            .collect::<Vec<_>>()
    };
    assert_eq!(marks(Rewrite::Llava), [1.0, 1.0]);
    assert_eq!(marks(Rewrite::None), [0.0, 1.0]);
}

#[test]
fn one_truth_is_enough_where_the_data_are_not_vqas() {
    let vqa = Vqa::default();
    let item = Item::new("1", "<image>\nhow many?").with_truth("Two.");
    let said = said(vec![item; 3], &["2", "two", "three"]);
    let marked = said.marked(&vqa);
    assert_eq!(
        marked.iter().map(|marked| marked.mark).collect::<Vec<_>>(),
        [1.0, 1.0, 0.0]
    );
    let [figure] = &vqa.figures(&marked)[..] else {
        panic!("no types of answers are known")
    };
    assert_eq!(figure.count, 3);
}

#[test]
fn a_test_split_is_submitted_and_not_scored() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |id: u32| {
        format!(
            "{{\"question_id\": {id}, \"image\": \"COCO_test2015_000000262144.jpg\", \"text\": \"Is it?\\nAnswer.\", \"category\": \"default\"}}\n"
        )
    };
    let path = folder.path().join("llava_vqav2_mscoco_test-dev2015.jsonl");
    fs::write(&path, line(262_144_000) + &line(262_144_001)).expect("a file");
    let paths = [path];
    let vqa = Vqa::default();
    let items = vqa
        .read(&Files::new(&paths, None))
        .expect("own files")
        .expect("questions");
    let said = said(items, &["The two dogs.", ""]);
    let marked = said.marked(&vqa);
    let figures = vqa.figures(&marked);
    assert_eq!(
        (figures.len(), figures[0].count, figures[0].value),
        (1, 0, 0.0)
    );
    let [file] = &vqa.submission(&marked)[..] else {
        panic!("one file")
    };
    assert_eq!(
        file.name.to_str(),
        Some("v2_OpenEnded_mscoco_test-dev2015_menagerie_results.json")
    );
    assert_eq!(
        String::from_utf8_lossy(&file.bytes),
        "[{\"question_id\":262144000,\"answer\":\"2 dogs\"},{\"question_id\":262144001,\"answer\":\"\"}]"
    );
    assert_eq!(
        vqa.ask(&marked[0].question)[0].text,
        "<image>\nIs it?\nAnswer."
    );
}

#[test]
fn files_that_do_not_fit_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    world(folder.path());
    let paths = [folder.path().to_owned()];
    let read = |vqa: Vqa| {
        let items = vqa.read(&Files::new(&paths, None)).expect("own files");
        items.unwrap_err().to_string()
    };
    let other = read(Vqa {
        split: Split::Train,
        ..Vqa::default()
    });
    assert!(other.starts_with("there is no `v2_OpenEnded_mscoco_train2014_questions.json` in "));
    let annotations = folder.path().join("v2_mscoco_val2014_annotations.json");
    fs::write(&annotations, "{\"annotations\": []}").expect("a file");
    let lacking = read(Vqa::default());
    assert!(lacking.ends_with(
        "annotations.json:question 458752000: it has no annotation: the two files are not of one split"
    ));
    fs::remove_file(&annotations).expect("a file");
    assert!(
        read(Vqa::default()).starts_with("there is no `v2_mscoco_val2014_annotations.json` in ")
    );
}
