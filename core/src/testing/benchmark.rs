//! What every benchmark must do.

use crate::benchmark::{AnyBenchmark, Marked, Question};
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
    let benchmark = plugin.build();
    let benchmark = benchmark.as_ref();
    let example = plugin.example();
    let turns = [Turn::human(&example.question)];
    let question = Question::new("example", &turns, &example.truth);

    check_asks(name, benchmark, &question);
    let later = [
        Turn::human("what is this?"),
        Turn::assistant("an image"),
        Turn::human(&example.question),
    ];
    check_asks(
        name,
        benchmark,
        &Question::new("later", &later, &example.truth),
    );

    let right = benchmark.mark(&question, &example.truth);
    let wrong = benchmark.mark(&question, &example.wrong);
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
        let mark = benchmark.mark(&question, answer);
        let range = 0.0..=1.0;
        assert!(
            range.contains(&mark),
            "`{name}`: `{answer}` is marked {mark}, which is not from 0 to 1"
        );
        assert!(
            mark == benchmark.mark(&question, answer),
            "`{name}`: `{answer}` is not always marked alike"
        );
    }
    check_total(name, benchmark, &question, [&example.truth, &example.wrong]);
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
    [truth, wrong]: [&str; 2],
) {
    let total = |answers: &[&str]| {
        let marked = answers
            .iter()
            .map(|answer| Marked::new(*question, answer, benchmark.mark(question, answer)));
        let total = benchmark.total(&marked.collect::<Vec<_>>());
        let range = 0.0..=1.0;
        assert!(
            range.contains(&total),
            "`{name}`: {} answers have the score {total}, which is not from 0 to 1",
            answers.len()
        );
        total
    };
    total(&[]);
    let (worse, better) = (total(&[truth, wrong, wrong]), total(&[truth; 3]));
    assert!(
        worse < better,
        "`{name}`: right answers have the score {better}, and wrong ones among them {worse}"
    );
}
