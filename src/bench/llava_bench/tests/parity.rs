//! Parity with the original's scripts.

use std::fs;
use std::path::Path;

use menagerie_core::benchmark::{Answer, Benchmark, Question};
use menagerie_core::hex::hex;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{figure, fixtures, items, marked, of_categories};
use crate::bench::llava_bench::{LlavaBenchCoco, LlavaBenchWild, review};

fn lines(path: &Path) -> Vec<Map<String, Value>> {
    let text = fs::read_to_string(path).expect("a fixture");
    let parse = |line| serde_json::from_str(line).expect("a JSON object");
    text.lines().map(parse).collect()
}

fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    serde_json::from_slice(&fs::read(path).expect("a fixture")).expect("its form")
}

/// What the original's scripts sent to the judge, for every question of either edition.
#[test]
fn the_judge_is_asked_what_the_original_asks() {
    fn check(benchmark: &impl Benchmark, folder: &str) {
        let folder = fixtures(folder);
        let items = items(benchmark, &folder).expect("fixtures");
        let hashes: Map<String, Value> = json(&folder.join("prompts.json"));
        let answers = lines(&folder.join("answers.jsonl"));
        assert_eq!(items.len(), hashes.len());
        let mut last = String::new();
        for (item, answer) in items.iter().zip(&answers) {
            let question = Question::new(&item.id, &item.turns, &item.truth);
            let question = question.with_fields(&item.fields);
            let text = answer["text"].as_str().expect("a text");
            let review = benchmark.review(&question, text).expect("it asks");
            assert_eq!((review.temperature, review.max_tokens), (0.2, 1024));
            let messages = serde_json::to_string(&review.messages).expect("messages");
            let hash = hex(&Sha256::digest(messages));
            last = review.messages[1].content.clone();
            assert_eq!(hashes[&item.id], hash, "question {}:\n{last}", item.id);
        }
        let known = fs::read_to_string(folder.join("last_prompt.txt")).expect("a fixture");
        assert_eq!(last, known);
    }
    check(&LlavaBenchCoco::default(), "coco");
    check(&LlavaBenchWild::default(), "wild");
}

#[test]
fn first_lines_are_read_as_the_original_reads_them() {
    let cases: Vec<(String, [Value; 2])> = json(&fixtures("first_lines.json"));
    assert!(cases.len() > 200);
    for (line, expected) in cases {
        // JSON has no NaN and no infinity: there they are texts.
        let number = |value: &Value| match value {
            Value::String(text) => text.parse().expect("a float"),
            value => value.as_f64().expect("a number"),
        };
        let expected = expected.each_ref().map(number);
        let read = review::first_line(&format!("{line}\nIt is.")).unwrap_or([-1.0, -1.0]);
        let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
        assert!(
            read.iter().zip(&expected).all(same),
            "`{line}`: {read:?}, and the original {expected:?}"
        );
    }
}

#[derive(Deserialize)]
struct Summary {
    reviews: Vec<(String, String)>,
    /// How many of them the original was told to leave out: it cannot read them, or they are out of range.
    unread: usize,
    /// By category the score, and the means of the reference and the model times ten.
    printed: Map<String, Value>,
}

#[test]
fn scores_are_those_that_the_original_prints() {
    let cases: Vec<Summary> = json(&fixtures("summaries.json"));
    assert!(cases.len() > 100);
    let benchmark = LlavaBenchCoco::default();
    for (number, case) in cases.iter().enumerate() {
        let categories: Vec<&str> = case.reviews.iter().map(|(name, _)| name.as_str()).collect();
        let items = of_categories(&categories);
        let answers: Vec<_> = case
            .reviews
            .iter()
            .map(|(_, review)| Answer::new("").reviewed(Some(review)))
            .collect();
        let marked = marked(&benchmark, &items, &answers);
        let faults = marked.iter().filter(|marked| marked.fault.is_some());
        assert_eq!(faults.count(), case.unread, "case {number}");
        let figures = benchmark.figures(&marked);
        assert_eq!(
            figures.len(),
            3 * case.printed.len().max(1) - 2 * usize::from(case.printed.is_empty())
        );
        for (name, printed) in &case.printed {
            let name = if name == "all" { "overall" } else { name };
            let value = |name: &str| figure(&figures, name).value;
            let ratio = value(name);
            let means = ["reference", "model"].map(|whose| value(&format!("{name}, {whose}")));
            // The original rounds the means to three digits, and then divides.
            let rounded = means.map(|mean| (mean * 100.0).round() / 100.0);
            let expected = [100.0 * rounded[1] / rounded[0], rounded[0], rounded[1]];
            for (ours, theirs) in expected.iter().zip(printed.as_array().expect("three")) {
                let theirs = theirs.as_f64().expect("a number");
                assert!(
                    (ours - theirs).abs() < 0.050_001,
                    "case {number}, {name}: {ours}, {theirs}"
                );
            }
            assert!(
                (ratio / expected[0] - 1.0).abs() < 1e-3,
                "case {number}, {name}: {ratio}"
            );
        }
    }
}

/// The original's scripts wrote these files, with the same answers and replies.
#[test]
fn files_are_written_as_the_original_writes_them() {
    fn check(benchmark: &impl Benchmark, folder: &str) {
        let folder = fixtures(folder);
        let items = items(benchmark, &folder).expect("fixtures");
        let said = lines(&folder.join("answers.jsonl"));
        let reviews = lines(&folder.join("reviews.jsonl"));
        let text =
            |line: &'_ Map<String, Value>, key| line[key].as_str().expect("a text").to_owned();
        let texts: Vec<_> = said
            .iter()
            .zip(&reviews)
            .map(|(said, review)| [text(said, "text"), text(review, "content")])
            .collect();
        let answers: Vec<_> = texts
            .iter()
            .map(|[said, review]| Answer::new(said).reviewed(Some(review)))
            .collect();
        let files = benchmark.submission(&marked(benchmark, &items, &answers));
        let written: Vec<_> = files
            .iter()
            .map(|file| (file.name.to_str(), lines_of(&file.bytes)))
            .collect();
        assert_eq!(
            written,
            [
                (Some("answers.jsonl"), said),
                (Some("reviews.jsonl"), reviews)
            ]
        );
    }
    fn lines_of(bytes: &[u8]) -> Vec<Map<String, Value>> {
        let lines = bytes.split_inclusive(|&byte| byte == b'\n');
        lines
            .map(|line| serde_json::from_slice(line).expect("a line"))
            .collect()
    }
    check(&LlavaBenchCoco::default(), "coco");
    check(&LlavaBenchWild::default(), "wild");
}
