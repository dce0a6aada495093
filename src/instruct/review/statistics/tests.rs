use menagerie_core::chat::Turn;

use super::*;
use crate::instruct::Flag;
use crate::instruct::review::example::Kind;

fn example(kind: Kind, image: &str, turns: &[&str]) -> Example {
    let turns = turns.iter().enumerate();
    Example {
        id: String::new(),
        kind,
        images: vec![image.to_owned()],
        context: None,
        turns: turns
            .map(|(place, text)| match place % 2 {
                0 => Turn::human(*text),
                _ => Turn::assistant(*text),
            })
            .collect(),
        flags: Vec::new(),
    }
}

/// Three samples, counted by hand.
fn statistics() -> Statistics {
    let mut counts = Counts::default();
    counts.sample(&example(
        Kind::Conversation,
        "1.jpg",
        &[
            "<image>\nWhat color is the bus?",
            "The bus is white and red.",
            "How many people are there?",
            "The bus is empty.",
            "Is it moving?",
            "No.",
        ],
    ));
    let mut detail = example(
        Kind::Detail,
        "1.jpg",
        &[
            "Describe the image.\n<image>",
            "The bus is at a stop, with a dog.",
        ],
    );
    detail.flags.push(Flag {
        kind: "absent-object".to_owned(),
        text: "dog".to_owned(),
    });
    counts.sample(&detail);
    // The same words as the first one, and another image.
    counts.sample(&example(
        Kind::Conversation,
        "2.jpg",
        &[
            "<image>\nwhat color is the bus",
            "The bus is white, and red!",
        ],
    ));
    counts.finish()
}

#[test]
fn a_small_set_is_counted_as_by_hand() {
    let found = statistics();
    assert_eq!(
        (found.samples.total(), found.samples.of(Kind::Conversation)),
        (3, 2)
    );
    assert_eq!(found.images, 2);
    assert_eq!((found.turns.all.count, found.turns.all.max), (3, 3));
    assert_eq!(found.turns.by_type[&Kind::Conversation].mean, 2.0);

    // 5, 5, 3, 3 and 5 words; the mark of the image is none.
    let questions = found.question_words.all;
    assert_eq!(
        (
            questions.count,
            questions.median,
            questions.p90,
            questions.max
        ),
        (5, 5, 5, 5)
    );
    assert_eq!(questions.mean, 4.2);
    // 6, 4, 1, 9 and 6 words.
    let answers = found.answer_words.all;
    assert_eq!(
        (answers.count, answers.median, answers.p90, answers.max),
        (5, 6, 9, 9)
    );
    assert_eq!(answers.mean, 5.2);
    assert_eq!(found.answer_words.by_type[&Kind::Detail].median, 9);

    let types: Vec<_> = found
        .question_types
        .iter()
        .map(|of| (of.question.name(), of.count.total()))
        .collect();
    assert_eq!(
        types,
        [("what", 2), ("how-many", 1), ("yes-no", 1), ("request", 1)]
    );
    assert_eq!(found.first_words[0].word, "what");
    assert_eq!(found.first_words[0].next[0].word, "color");

    // Four of five begin with "the bus is"; "no" is alone.
    assert_eq!(
        (found.answer_openings.alike, found.answer_openings.distinct),
        (0.8, 2)
    );
    let commonest = &found.answer_openings.commonest;
    assert_eq!(
        (commonest.len(), commonest[0].text.as_str()),
        (1, "the bus is")
    );
    assert_eq!(
        (
            commonest[0].count.of(Kind::Detail),
            commonest[0].count.total()
        ),
        (1, 4)
    );

    let again = found.duplicates;
    assert_eq!((again.samples, again.questions, again.answers), (0, 1, 1));
    assert_eq!(
        (found.flagged.total(), found.flags[0].kind.as_str()),
        (1, "absent-object")
    );
}

#[test]
fn a_sample_that_is_there_twice_is_told() {
    let mut counts = Counts::default();
    let one = example(Kind::Reasoning, "1.jpg", &["<image>\nWhy?", "Because."]);
    counts.sample(&one);
    counts.sample(&one);
    counts.sample(&example(
        Kind::Reasoning,
        "2.jpg",
        &["<image>\nWhy?", "Because."],
    ));
    let again = counts.finish().duplicates;
    assert_eq!((again.samples, again.questions, again.answers), (1, 2, 2));
}

#[test]
fn json_has_the_types_that_there_are() {
    let json = serde_json::to_value(statistics()).expect("plain data");
    assert_eq!(
        json["samples"],
        serde_json::json!({"conversation": 2, "detail": 1})
    );
    assert_eq!(json["question_types"][0]["question"], "what");
    assert_eq!(json["answer_words"]["by_type"]["detail"]["p90"], 9);
    assert_eq!(
        json["answer_words"]["histogram"][0]["count"],
        serde_json::json!({"conversation": 1})
    );
}
