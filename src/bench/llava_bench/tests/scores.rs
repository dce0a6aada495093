//! Scores computed by hand.

use menagerie_core::benchmark::{Answer, Benchmark, Unit};
use menagerie_core::testing::check_benchmark;
use serde_json::Value;

use super::{figure, fixtures, items, marked, of_categories, written};
use crate::bench::llava_bench::{LlavaBenchCoco, LlavaBenchWild};

#[test]
fn both_keep_the_contract() {
    check_benchmark(LlavaBenchCoco::NAME);
    check_benchmark(LlavaBenchWild::NAME);
}

/// 8 to 10, 9 to 9 and 5 to 10 in `conv`, 10 to 5 in `detail`; one reply is unreadable, one out of range,
/// one empty, one missing.
#[test]
fn scores_by_hand() {
    let items = of_categories(&[
        "detail", "conv", "conv", "complex", "conv", "conv", "detail", "detail",
    ]);
    let replies = [
        Some("5 10"),
        Some("10 8\nThe first is better."),
        Some("9,9"),
        Some("Assistant 1 gets 9."),
        Some("10 5"),
        Some("11 3"),
        Some(" \n"),
        None,
    ];
    let answers = replies.map(|reply| Answer::new("It is.").reviewed(reply));
    let benchmark = LlavaBenchCoco::default();
    let marked = marked(&benchmark, &items, &answers);

    let faults: Vec<_> = marked.iter().map(|marked| marked.fault).collect();
    let unread = [
        Some("review without two scores"),
        None,
        Some("review with scores out of range"),
        Some("empty review"),
        Some("no review"),
    ];
    assert_eq!(faults[..3], [None; 3]);
    assert_eq!(faults[3..], unread);
    let marks: Vec<_> = marked.iter().map(|marked| marked.mark).collect();
    assert_eq!(marks, [1.0, 0.8, 0.9, 0.0, 0.5, 0.0, 0.0, 0.0]);

    let figures = benchmark.figures(&marked);
    let names: Vec<_> = figures.iter().map(|figure| figure.name.as_str()).collect();
    let expected = [
        "overall",
        "conv",
        "detail",
        "overall, reference",
        "overall, model",
        "conv, reference",
        "conv, model",
        "detail, reference",
        "detail, model",
    ];
    assert_eq!(names, expected);
    let near = |name: &str, value: f64, unit, count| {
        let figure = figure(&figures, name);
        assert!((figure.value - value).abs() < 1e-9, "{figure:?}");
        assert_eq!((figure.unit, figure.count), (unit, count), "{name}");
    };
    // A ratio of means: neither the mean of the ratios (107.5) nor that of the categories (137.93).
    near("overall", 100.0 * 32.0 / 34.0, Unit::Percent, 4);
    near("conv", 100.0 * 22.0 / 29.0, Unit::Percent, 3);
    near("detail", 200.0, Unit::Percent, 1);
    near("overall, reference", 85.0, Unit::Points, 4);
    near("overall, model", 80.0, Unit::Points, 4);
    assert!((benchmark.total(&marked) - 32.0 / 34.0).abs() < 1e-12);
    let [low, high] = figure(&figures, "conv").interval.expect("an interval");
    // Of three questions drawn, the same may come thrice: the worst is 5 to 10, the best 9 to 9.
    assert!((low, high) == (50.0, 100.0), "{low} {high}");
    assert_eq!(figure(&figures, "detail").interval, None);
}

/// Both answers to a hard question get less: what they have in common must not widen the interval.
#[test]
fn the_interval_keeps_both_scores_of_a_question_together() {
    let items = of_categories(&["conv"; 40]);
    let replies: Vec<String> = (0..40)
        .map(|n| format!("{} {}", 2 + n % 5 * 2, 1 + n % 5))
        .collect();
    let answers: Vec<_> = replies
        .iter()
        .map(|reply| Answer::new("It is.").reviewed(Some(reply)))
        .collect();
    let benchmark = LlavaBenchCoco::default();
    let figures = benchmark.figures(&marked(&benchmark, &items, &answers));
    assert_eq!(figures[0].value, 50.0);
    assert_eq!(figures[0].interval, Some([50.0, 50.0]));
}

#[test]
fn figures_under_another_rule_are_called_otherwise() {
    let published = include_str!("../rule.json");
    let names = |rule: &str| {
        let (_folder, path) = written("rule.json", rule);
        let benchmark = LlavaBenchCoco { rule: Some(path) };
        let items = items(&benchmark, &fixtures("coco")).expect("fixtures");
        let answers = [Answer::new("It is.").reviewed(Some("8 7"))];
        let figures = benchmark.figures(&marked(&benchmark, &items, &answers));
        figures
            .into_iter()
            .map(|figure| figure.name)
            .collect::<Vec<_>>()
    };
    let same = [
        "overall",
        "conv",
        "overall, reference",
        "overall, model",
        "conv, reference",
        "conv, model",
    ];
    assert_eq!(names(published), same);
    let value: Value = serde_json::from_str(published).expect("JSON");
    assert_eq!(
        names(&value.to_string()),
        same,
        "the file's spacing does not matter"
    );
    let of_wild = published.replace("a few sentences", "some sentences");
    assert_eq!(
        names(&of_wild),
        same,
        "COCO's judge reads no rule of the other's"
    );

    let stricter = names(&published.replace("1 to 10", "one to ten"));
    let (_, hash) = stricter[0].split_once("overall (rule ").expect("a note");
    assert_eq!(hash.len(), "0123abcd)".len());
    assert_eq!(stricter[3], format!("overall, model (rule {hash}"));
    let other = names(&published.replace("\"Assistant\"", "\"Model\""));
    assert_ne!(stricter[0], other[0]);
}
