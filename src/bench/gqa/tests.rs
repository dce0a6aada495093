//! GQA on its files, with the official script's figures.

use std::fs;

use super::*;
use crate::bench::short_answer::fixture;
use crate::bench::testing::{Said, answers as said};

#[test]
fn it_keeps_the_contract() {
    menagerie_core::testing::check_benchmark(Gqa::NAME);
}

fn gqa(rewrite: Rewrite) -> Gqa {
    Gqa {
        split: Split::ValAll,
        rewrite,
        ..Gqa::default()
    }
}

fn expected() -> Value {
    let text = fs::read_to_string(fixture("gqa/expected.json")).expect("a fixture");
    serde_json::from_str(&text).expect("JSON")
}

fn fixture_answers(gqa: &Gqa) -> Said {
    let paths = [fixture("gqa")];
    let items = gqa
        .read(&Files::new(&paths, None))
        .expect("own files")
        .expect("questions");
    let predictions = gqa
        .predictions(&fixture("gqa/answers.jsonl"))
        .expect("answers");
    Said::new(items, predictions)
}

#[test]
fn figures_are_those_of_the_official_script() {
    for (rewrite, name) in [(Rewrite::Llava, "llava"), (Rewrite::None, "none")] {
        let gqa = gqa(rewrite);
        let said = fixture_answers(&gqa);
        let marked = said.marked(&gqa);
        assert_eq!(marked.len(), 180);
        let figures = gqa.figures(&marked);
        let expected = &expected()[name];
        let close = |ours: &str, theirs: &Value, count: Option<&Value>| {
            let figure = figures.iter().find(|figure| figure.name == ours);
            let figure = figure.unwrap_or_else(|| panic!("no figure {ours}"));
            let theirs = theirs.as_f64().expect("a number");
            assert!(
                (figure.value - theirs).abs() < 1e-9,
                "{figure:?}, and not {theirs}"
            );
            assert!(
                count.is_none_or(|count| *count == figure.count),
                "{figure:?}"
            );
        };
        let alone = [
            "accuracy",
            "binary",
            "open",
            "consistency",
            "validity",
            "plausibility",
            "distribution",
        ];
        for name in alone {
            close(name, &expected[name], None);
        }
        let (structural, semantic) = (
            &expected["accuracyPerStructuralType"],
            &expected["accuracyPerSemanticType"],
        );
        for name in ["verify", "query", "choose", "logical", "compare"] {
            let pair = &structural[name];
            close(&format!("structural: {name}"), &pair[0], Some(&pair[1]));
        }
        for (short, name) in [
            ("attr", "attribute"),
            ("cat", "category"),
            ("global", "scene"),
            ("obj", "object"),
            ("rel", "relation"),
        ] {
            let pair = &semantic[short];
            close(&format!("semantic: {name}"), &pair[0], Some(&pair[1]));
        }
        assert_eq!(figures.len(), alone.len() + 10);
        assert_eq!(
            (&*figures[0].name, figures[0].count),
            ("accuracy", 120),
            "of the balanced ones"
        );
    }
}

#[test]
fn a_submission_is_what_llavas_converter_writes() {
    let gqa = gqa(Rewrite::Llava);
    let said = fixture_answers(&gqa);
    let [file] = &gqa.submission(&said.marked(&gqa))[..] else {
        panic!("one file")
    };
    assert_eq!(file.name.to_str(), Some("val_all_predictions.json"));
    let ours: Value = serde_json::from_slice(&file.bytes).expect("JSON");
    assert_eq!(ours, expected()["predictions"]);
}

#[test]
fn a_truth_that_is_not_gqas_may_have_a_capital() {
    let item = Item::new("1", "<image>\nIs it red?").with_truth("Yes.");
    let said = said(vec![item; 2], &["yes", "no"]);
    let gqa = Gqa::default();
    let marked = said.marked(&gqa);
    assert_eq!([marked[0].mark, marked[1].mark], [1.0, 0.0]);
    assert_eq!(
        gqa.figures(&marked).len(),
        1,
        "no types of questions are known"
    );
}

#[test]
fn figures_that_the_files_do_not_allow_are_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("testdev_balanced_questions.json");
    let text = "{\"b1\": {\"question\": \"Is it overcast?\", \"imageId\": \"n161313\", \"isBalanced\": true,\
                \"answer\": \"no\", \"entailed\": [\"b1\", \"elsewhere\"], \"groups\": {\"global\": null},\
                \"types\": {\"structural\": \"verify\", \"semantic\": \"global\", \"detailed\": \"weather\"}},\n\
                \"a2\": {\"question\": \"Who?\", \"imageId\": \"n235859\", \"isBalanced\": true, \"answer\": \"woman\"}}";
    fs::write(&path, text).expect("a file");
    let paths = [folder.path().to_owned()];
    let gqa = Gqa::default();
    let read = || gqa.read(&Files::new(&paths, None)).expect("own files");
    let items = read().expect("questions");
    assert_eq!(
        [&items[0].id, &items[1].id],
        ["b1", "a2"],
        "in the file's order"
    );
    assert_eq!(
        items[0].images,
        [menagerie_core::benchmark::ItemImage::File(
            folder.path().join("images/n161313.jpg")
        )]
    );
    let said = said(items, &["No.", "man"]);
    let figures = gqa.figures(&said.marked(&gqa));
    let names: Vec<_> = figures
        .iter()
        .map(|figure| (&*figure.name, figure.value))
        .collect();
    assert_eq!(
        names,
        [
            ("accuracy", 50.0),
            ("binary", 100.0),
            ("structural: verify", 100.0),
            ("semantic: scene", 100.0)
        ]
    );

    // LLaVA's file has the questions, and GQA's the answers.
    let line = |id: &str| {
        format!(
            "{{\"question_id\": \"{id}\", \"image\": \"n235859.jpg\", \"text\": \"Who?\\nAnswer.\", \"category\": \"default\"}}\n"
        )
    };
    let llava = folder.path().join("llava_gqa_testdev_balanced.jsonl");
    fs::write(&llava, line("a2")).expect("a file");
    let items = read().expect("questions");
    assert_eq!((items.len(), &*items[0].truth), (1, "woman"));
    assert_eq!(items[0].turns[0].text, "<image>\nWho?\nAnswer.");
    fs::write(&llava, line("c3")).expect("a file");
    let error = read().unwrap_err().to_string();
    assert!(
        error.ends_with("testdev_balanced_questions.json has no question `c3`"),
        "{error}"
    );
}
