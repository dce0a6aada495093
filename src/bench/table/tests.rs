//! What a reader of a comparison sees.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Comparison, csv, html, markdown};

/// A run's score of a benchmark, with `change`s to what it is of.
fn score(model: &str, figures: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let hash = |of: &str| format!("{of:0>64}");
    let mut score = json!({
        "benchmark": { "name": "pope", "options": {}, "crate": "menagerie", "version": "0.1.0" },
        "questions": { "count": 300, "sha256": hash("1"), "files": [] },
        "model": {
            "path": format!("runs/{model}"), "weights_sha256": hash(model), "dtype": "f32",
            "images": "pad", "recipe_sha256": hash("2"), "recipe": "",
        },
        "code": { "menagerie": "0.1.0", "burn": "0.22.1", "program": null, "device": "cpu" },
        "score": 0.8,
        "figures": figures,
        "answers": 300,
        "faults": {},
        "seconds": { "answering": 61.0 },
        "unix_seconds": 0,
    });
    change(&mut score);
    score
}

fn compare(scores: &[Value]) -> Comparison {
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<PathBuf> = (0..scores.len())
        .map(|number| folder.path().join(format!("{number}.json")))
        .collect();
    for (path, score) in paths.iter().zip(scores) {
        fs::write(path, score.to_string()).expect("written");
    }
    Comparison::read(&paths).unwrap_or_else(|error| panic!("{error}"))
}

fn figure(name: &str, value: f64) -> Value {
    json!({ "name": name, "value": value, "unit": "percent", "count": 300 })
}

#[test]
fn models_stand_side_by_side_and_what_does_not_compare_is_marked() {
    let with_interval = json!([
        { "name": "accuracy", "value": 85.126, "unit": "percent", "count": 300, "interval": [81.0, 89.04] },
        { "name": "of nobody", "value": 0.0, "unit": "percent", "count": 0 },
    ]);
    let comparison = compare(&[
        score("a<b>", &with_interval, |_| {}),
        score(
            "b",
            &json!([figure("accuracy", 70.0), figure("F1", 66.0)]),
            |score| {
                score["faults"] = json!({ "empty": 2 });
            },
        ),
        score("c", &json!([figure("accuracy", 99.0)]), |score| {
            score["benchmark"]["options"]["split"] = "random".into();
            score["questions"]["sha256"] = "f".repeat(64).into();
        }),
    ]);
    let text = markdown(&comparison);
    let expected = "## pope\n\n\
        | figure | a<b> | b | c * |\n\
        | --- | ---: | ---: | ---: |\n\
        | accuracy | 85.1 % [81.0, 89.0] | 70.0 % | 99.0 % |\n\
        | of nobody | – | – | – |\n\
        | F1 | – | 66.0 % | – |\n\n\
        - b: answers that could not be marked: empty 2\n\
        - c *: not comparable with the first: benchmark.options.split is \"random\" here and not stated there; \
        questions.sha256 is ffffffffffff… here and 000000000000… there\n";
    assert_eq!(text, expected);

    let table = csv(&comparison);
    let lines: Vec<&str> = table.split("\r\n").collect();
    assert_eq!(lines.len(), 7);
    assert!(
        lines[1].contains(",a<b>,accuracy,85.126,percent,81,89.04,300,,true,"),
        "{table}"
    );
    assert!(
        lines[5].contains(",c,accuracy,99,percent,,,300,,false,\"not comparable"),
        "{table}"
    );

    let page = html(&comparison);
    assert!(page.contains("a&lt;b&gt;") && !page.contains("a<b>"));
    assert!(
        page.contains("<b style=\"width:85.13%\"></b><em style=\"left:81.00%;width:8.04%\"></em>")
    );
    // Once beside its figures' bars and once below, for each figure of the section.
    assert_eq!(page.matches("other conditions</span>").count(), 4);
    assert!(!page.contains("http"), "it needs nothing from elsewhere");
}

#[test]
fn a_judge_that_calls_itself_otherwise_is_told() {
    let figures = json!([figure("overall", 60.0)]);
    let judged = |models: Value| {
        let spent = crate::endpoint::Spent::default();
        json!({
            "replies": 1, "missing": {}, "cut": 0, "refused": 0, "models": models, "spent": spent,
        })
    };
    let of = |model: &str, judged: Value| {
        score(model, &figures, |score| {
            score["judge"] = json!({ "model": "gpt-4", "url": "u", "prompts_sha256": "1" });
            score["judged"] = judged;
        })
    };
    let comparison = compare(&[
        of("a", judged(json!(["gpt-4"]))),
        of("b", judged(json!(["gpt-4-0613", "gpt-4"]))),
    ]);
    let text = markdown(&comparison);
    assert!(
        text.contains("- b: the judge `gpt-4` calls itself gpt-4-0613"),
        "{text}"
    );
    assert!(!text.contains("- a:"), "{text}");
}

#[test]
fn another_judge_or_another_limit_does_not_compare() {
    let judge =
        |model: &str, rule: &str| json!({ "model": model, "url": model, "prompts_sha256": rule });
    let figures = json!([{ "name": "overall", "value": 60.0, "unit": "points", "count": 60 }]);
    let of = |model: &str, judge: Value| score(model, &figures, |score| score["judge"] = judge);
    let comparison = compare(&[
        of("a", judge("gpt-4-0613", "1")),
        of("b", judge("gpt-4-0613", "1")),
        of("c", judge("vicuna-13b", "1")),
        of("d", judge("gpt-4-0613", "2")),
        score("e", &figures, |score| {
            score["questions"]["limit"] = 10.into();
        }),
    ]);
    let text = markdown(&comparison);
    let marked = |name: &str| text.contains(&format!("- {name} *: not comparable"));
    assert!(
        !marked("b") && marked("c") && marked("d") && marked("e"),
        "{text}"
    );
    assert!(
        text.contains("judge.model is \"vicuna-13b\" here and \"gpt-4-0613\" there"),
        "{text}"
    );
    assert!(text.contains("only the first 10 questions"), "{text}");
}

#[test]
fn a_folder_without_a_score_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = |path: PathBuf| Comparison::read(&[path]).map(drop).unwrap_err().to_string();
    assert!(error(folder.path().to_owned()).ends_with("it is no benchmark's run"));
    fs::write(folder.path().join("run.json"), "{}").expect("written");
    assert!(error(folder.path().to_owned()).contains("it has no score yet"));
    fs::write(folder.path().join("score.json"), "{}").expect("written");
    assert!(error(folder.path().to_owned()).contains("it is no benchmark's score: missing field"));
}
