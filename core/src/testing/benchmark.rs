//! What every benchmark must do.

use std::path::Component;

use serde_json::Map;

use crate::benchmark::{Answer, AnyBenchmark, Example, Marked, Question};
use crate::chat::{Role, Turn};
use crate::plugin;

/// What models say when they say something odd.
const ODD: [&str; 6] = [
    "",
    " \n\t",
    ".",
    "\u{1F999}\u{200D}é\0",
    "-1e309",
    "Yes, no. (A)",
];

/// Checks the registered benchmark `name` on its example: the truth gets 1 and the wrong answer
/// less, every mark and total is from 0 to 1 and the same each time, no answer makes it panic, and
/// what it asks ends with the human and keeps the images.
///
/// # Panics
/// If something does not hold.
pub fn check_benchmark(name: &str) {
    let plugin = plugin::benchmark(name).unwrap_or_else(|error| panic!("{error}"));
    let benchmark = plugin
        .build(Map::new())
        .unwrap_or_else(|error| panic!("{error}"));
    let benchmark = benchmark.as_ref();
    let example = plugin.example();
    let turns = [Turn::human(&example.question)];
    let question = Question::new("example", &turns, &example.truth).with_fields(&example.fields);
    assert_eq!(
        benchmark.judged(),
        example.reviews.is_some(),
        "`{name}`: a benchmark with a judge has reviews in its example, and no other has"
    );

    check_asks(name, benchmark, &question);
    let later = [
        Turn::human("what is this?"),
        Turn::assistant("an image"),
        Turn::human(&example.question),
    ];
    check_asks(
        name,
        benchmark,
        &Question::new("later", &later, &example.truth).with_fields(&example.fields),
    );

    let [truth, wrong_answer] = answers(&example);
    let right = benchmark.mark(&question, &truth);
    let wrong = benchmark.mark(&question, &wrong_answer);
    assert_eq!(
        benchmark.fault(&question, &truth),
        None,
        "`{name}`: the truth of its example cannot be read"
    );
    assert_eq!(
        right, 1.0,
        "`{name}`: the truth of its example is not marked 1"
    );
    assert!(
        wrong < right,
        "`{name}`: the wrong answer of its example is marked {wrong}"
    );
    let long = example.truth.repeat(1000);
    let said = [example.wrong.as_str(), &long].into_iter().chain(ODD);
    for answer in said {
        // A judge may say odd things too.
        let answer = &Answer::new(answer).reviewed(benchmark.judged().then_some(answer));
        benchmark.fault(&question, answer);
        let mark = benchmark.mark(&question, answer);
        let range = 0.0..=1.0;
        assert!(
            range.contains(&mark),
            "`{name}`: `{}` is marked {mark}, which is not from 0 to 1",
            answer.text
        );
        assert!(
            mark == benchmark.mark(&question, answer),
            "`{name}`: `{}` is not always marked alike",
            answer.text
        );
    }
    check_total(name, benchmark, &question, [truth, wrong_answer]);
}

/// The truth and the wrong answer, each with its review.
fn answers(example: &Example) -> [Answer<'_>; 2] {
    let texts = [&example.truth, &example.wrong];
    [0, 1].map(|which| {
        let reviews = example.reviews.as_ref();
        Answer::new(texts[which]).reviewed(reviews.map(|reviews| reviews[which].as_str()))
    })
}

fn check_asks(name: &str, benchmark: &dyn AnyBenchmark, question: &Question<'_>) {
    let asked = benchmark.ask(question);
    assert_eq!(
        asked.last().map(|turn| turn.role),
        Some(Role::Human),
        "`{name}`: what it asks does not end with the human"
    );
    assert_eq!(
        asked.iter().map(Turn::images).sum::<usize>(),
        question.images(),
        "`{name}`: what it asks has not as many images as the data"
    );
}

fn check_total(
    name: &str,
    benchmark: &dyn AnyBenchmark,
    question: &Question<'_>,
    [truth, wrong]: [Answer<'_>; 2],
) {
    let total = |answers: &[Answer<'_>]| {
        let marked = answers.iter().map(|answer| {
            let mark = benchmark.mark(question, answer);
            let fault = benchmark.fault(question, answer);
            Marked::new(*question, *answer, mark, fault)
        });
        let marked: Vec<_> = marked.collect();
        let total = benchmark.total(&marked);
        assert!(
            total.is_finite() && total >= 0.0,
            "`{name}`: {} answers have the score {total}, which is no number from 0 on",
            answers.len()
        );
        let figures = benchmark.figures(&marked);
        assert!(!figures.is_empty(), "`{name}`: it reports no figure");
        for figure in figures {
            assert!(
                figure.value.is_finite(),
                "`{name}`: `{}` of {} answers is {}",
                figure.name,
                answers.len(),
                figure.value
            );
        }
        for file in benchmark.submission(&marked) {
            let parts = file.name.components();
            let inside = parts
                .clone()
                .all(|part| matches!(part, Component::Normal(_)));
            assert!(
                inside && parts.count() > 0,
                "`{name}`: the file `{}` of its submission lies outside the folder",
                file.name.display()
            );
        }
        total
    };
    total(&[]);
    let (worse, better) = (total(&[truth, wrong, wrong]), total(&[truth; 3]));
    assert!(
        worse < better,
        "`{name}`: right answers have the score {better}, and wrong ones among them {worse}"
    );
}
