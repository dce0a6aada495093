//! Files: the published ones, those of others, and bad ones.

use std::fs;
use std::path::Path;

use menagerie_core::benchmark::{Answer, Benchmark, Item, ItemImage};

use super::{fixtures, items, marked, written};
use crate::bench::llava_bench::{LlavaBenchCoco, LlavaBenchWild, score};

#[test]
fn the_published_files_are_read() {
    let coco = LlavaBenchCoco::default();
    let items = items(&coco, &fixtures("coco")).expect("the published files");
    assert_eq!(items.len(), 90);
    for category in score::CATEGORIES {
        let of_it = |item: &&Item| item.fields["category"] == category;
        assert_eq!(items.iter().filter(of_it).count(), 30, "{category}");
    }
    let first = &items[0];
    assert_eq!(first.id, "0");
    assert_eq!(
        first.turns[0].text,
        "<image>\nWhat is the color of the two suitcases in the image?"
    );
    assert_eq!(
        first.truth,
        "The colors of the two suitcases in the image are black and brown with yellow details."
    );
    let image = fixtures("coco").join("000000441147.jpg");
    assert_eq!(first.images, [ItemImage::File(image)]);
}

#[test]
fn images_are_found_under_the_names_that_coco_gives_them() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in fs::read_dir(fixtures("coco")).expect("fixtures") {
        let file = file.expect("an entry");
        fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
    }
    let images = folder.path().join("val2014");
    fs::create_dir(&images).expect("a folder");
    let image = images.join("COCO_val2014_000000441147.jpg");
    fs::write(&image, "").expect("an image");
    let items = items(&LlavaBenchCoco::default(), folder.path()).expect("the published files");
    assert_eq!(items[0].images, [ItemImage::File(image)]);
    let without = images.join("000000353536.jpg");
    assert_eq!(items[3].images, [ItemImage::File(without)]);
}

#[test]
fn reviews_that_others_made_are_scored() {
    let benchmark = LlavaBenchWild::default();
    let items = items(&benchmark, &fixtures("wild")).expect("fixtures");
    let path = fixtures("wild/reviews.jsonl");
    let theirs = benchmark.predictions(&path).expect("reviews");
    let ids: Vec<_> = theirs
        .iter()
        .map(|prediction| prediction.id.as_str())
        .collect();
    assert_eq!(ids, ["0", "1", "2", "3", "4"]);
    let answers: Vec<_> = theirs
        .iter()
        .map(|theirs| Answer::new(&theirs.answer).reviewed(theirs.review.as_deref()))
        .collect();
    let marked = marked(&benchmark, &items, &answers);
    let figures = benchmark.figures(&marked);
    assert_eq!(figures[0].count, 3);
    // Its answers are not in it, so only the reviews are written again.
    let names: Vec<_> = benchmark
        .submission(&marked)
        .into_iter()
        .map(|file| file.name)
        .collect();
    assert_eq!(names, [Path::new("reviews.jsonl")]);
}

#[test]
fn scores_that_a_human_read_count_and_not_the_first_line() {
    let line = |tuple: &str, content: &str| {
        format!(
            r#"{{"id": 1, "question_id": 7, "category": "conv", "content": "{content}", "tuple": {tuple}}}"#
        )
    };
    let told = |tuple, content| {
        let (_folder, path) = written("reviews.jsonl", &line(tuple, content));
        let read = LlavaBenchCoco::default()
            .predictions(&path)
            .expect("reviews");
        read[0].review.clone().expect("a review")
    };
    assert_eq!(
        told("[8.0, 7.0]", "8 7\\nBoth see it."),
        "8 7\nBoth see it."
    );
    assert_eq!(told("[-1, -1]", "Assistant 1: 8"), "Assistant 1: 8");
    assert_eq!(
        told("[8.5, 7]", "Assistant 1: 8.5"),
        "8.5 7\nAssistant 1: 8.5"
    );
    assert_eq!(told("[-1, -1]", "8 7"), "-1 -1\n8 7");
}

#[test]
fn answers_that_others_made_are_read() {
    let path = fixtures("coco/answers.jsonl");
    let read = LlavaBenchCoco::default()
        .predictions(&path)
        .expect("answers");
    assert_eq!(read.len(), 90);
    assert_eq!(
        (&*read[1].id, &*read[1].answer, &read[1].review),
        ("1", "Answer 1:\nit is \"é\".", &None)
    );
}

#[test]
fn a_bad_review_file_is_an_error_with_its_line() {
    let good = r#"{"question_id": 1, "content": "8 7"}"#;
    for (line, reason) in [
        (
            r#"{"question_id": 2, "text": "It is."}"#,
            "missing field `content`",
        ),
        (r#"{"content": "8 7"}"#, "missing field `question_id`"),
        (
            r#"{"question_id": [], "content": "8 7"}"#,
            "`question_id` is [], and no number or text",
        ),
        (
            r#"{"question_id": 2, "content": "8 7", "tuple": [8]}"#,
            "an array of length 2",
        ),
        (
            r#"{"question_id": 2, "content": "8 7", "category": "llava_bench_conv"}"#,
            "`llava_bench_conv` is no category of llava-bench-coco",
        ),
    ] {
        let (_folder, path) = written("reviews.jsonl", &format!("{good}\n\n{line}\n"));
        let error = LlavaBenchCoco::default()
            .predictions(&path)
            .expect_err(line)
            .to_string();
        assert!(
            error.contains("reviews.jsonl:3: ") && error.contains(reason),
            "{error}"
        );
    }
    let wild = LlavaBenchWild::default().predictions(&fixtures("coco/reviews.jsonl"));
    let error = wild.expect_err("reviews of the other").to_string();
    assert!(
        error.ends_with("reviews.jsonl:1: `conv` is no category of llava-bench-wild"),
        "{error}"
    );
}

#[test]
fn bad_questions_are_an_error_with_their_line() {
    let question = r#"{"question_id": 0, "image": "001.jpg", "text": "What?", "category": "conv"}"#;
    let reference = r#"{"question_id": 0, "text": "A cup."}"#;
    let context = r#"{"image": "001.jpg", "caption": "A cup."}"#;
    let twice = |line: &str| format!("{line}\n{line}");
    let cases = [
        (
            question.replace("\"text\"", "\"question\""),
            reference.into(),
            context.into(),
            "questions.jsonl:1:",
            "missing field `text`",
        ),
        (
            question.replace("conv", "chat"),
            reference.into(),
            context.into(),
            "questions.jsonl:1:",
            "there is no rule `llava_bench_chat`; there are: coding,",
        ),
        (
            question.replace("0,", "0.5,"),
            reference.into(),
            context.into(),
            "questions.jsonl:1:",
            "an id must be a whole number or a text",
        ),
        (
            question.replace("0,", "1,"),
            reference.into(),
            context.into(),
            "questions.jsonl:1:",
            "answers_gpt4.jsonl has no answer to question 1",
        ),
        (
            question.replace("001", "002"),
            reference.into(),
            context.into(),
            "questions.jsonl:1:",
            "context.jsonl has no context of the image `002.jpg`",
        ),
        (
            question.into(),
            twice(reference),
            context.into(),
            "answers_gpt4.jsonl:2:",
            "a second answer to question 0",
        ),
        (
            question.into(),
            reference.into(),
            twice(context),
            "context.jsonl:2:",
            "a second context of the image `001.jpg`",
        ),
        (
            question.into(),
            reference.into(),
            context.replace("caption", "captions"),
            "context.jsonl:1:",
            "missing field `caption`",
        ),
    ];
    for (questions, references, contexts, place, reason) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let files = [
            ("questions.jsonl", questions),
            ("answers_gpt4.jsonl", references),
            ("context.jsonl", contexts),
        ];
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let error = items(&LlavaBenchWild::default(), folder.path())
            .expect_err(reason)
            .to_string();
        assert!(error.contains(place) && error.contains(reason), "{error}");
    }
}

#[test]
fn a_bad_rule_is_an_error_with_its_line() {
    let (_folder, path) = written("mine.json", "{\n  \"conv\": {\"role\": \"Assistant\"}\n}");
    let benchmark = LlavaBenchCoco { rule: Some(path) };
    let error = items(&benchmark, &fixtures("coco"))
        .expect_err("no prompt")
        .to_string();
    assert!(
        error.contains("mine.json:2:") && error.contains("missing field `prompt`"),
        "{error}"
    );
}
