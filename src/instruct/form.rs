//! The form of a reply: questions and answers, or one answer.

use menagerie_core::chat::IMAGE_MARK;

use super::reject::{Reason, Reject};
use super::response::ResponseType;
use super::telltale;

/// A question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub question: String,
    pub answer: String,
}

const SEPARATOR: &str = "===";
const QUESTION: &str = "Question:";
const ANSWER: &str = "Answer:";

/// What stands for an image, and what begins and ends turns in the field's templates.
const MARKS: [&str; 9] = [
    IMAGE_MARK,
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "[INST]",
    "[/INST]",
];

/// Reads what a model wrote for a response of a type; `asked` is the question to a description.
pub(super) fn read(kind: ResponseType, text: &str, asked: &str) -> Result<Vec<Pair>, Reject> {
    let text = after_thoughts(text.trim())?;
    if text.is_empty() {
        return Err(Reason::Empty.because("the reply has no text"));
    }
    telltale::refusal(text)?;
    let pairs = if kind == ResponseType::Detail {
        vec![description(text, asked)?]
    } else {
        pairs(text)?
    };
    match (kind, pairs.len()) {
        (ResponseType::Conversation, 1) => {
            return Err(Reason::SingleTurn.because("it has one question"));
        }
        (ResponseType::Reasoning, count @ 2..) => {
            let detail = format!("it has {count} questions, and one is wanted");
            return Err(Reason::Form.because(detail));
        }
        _ => {}
    }
    for pair in &pairs {
        marks(&pair.question)?;
        marks(&pair.answer)?;
        telltale::refusal(&pair.answer)?;
        // The question to a description is no work of the model's.
        if kind != ResponseType::Detail {
            telltale::source(&pair.question)?;
        }
        telltale::source(&pair.answer)?;
    }
    Ok(pairs)
}

/// What a model that thinks aloud says after its thoughts.
fn after_thoughts(text: &str) -> Result<&str, Reject> {
    let Some(thoughts) = text.strip_prefix("<think>") else {
        return Ok(text);
    };
    match thoughts.split_once("</think>") {
        Some((_, reply)) => Ok(reply.trim()),
        None => Err(Reason::Form.because("its thoughts, from `<think>` on, have no end")),
    }
}

/// Whether a turn holds what is no text to those who learn from it: it would stand for an image, or
/// end a turn.
fn marks(text: &str) -> Result<(), Reject> {
    match MARKS.iter().find(|mark| text.contains(*mark)) {
        None => Ok(()),
        Some(mark) => Err(Reason::Form.because(format!("it holds `{mark}`, which is no text"))),
    }
}

fn description(text: &str, asked: &str) -> Result<Pair, Reject> {
    let mut lines = text.lines().map(str::trim);
    let marker =
        |line: &str| line == SEPARATOR || line.starts_with(QUESTION) || line.starts_with(ANSWER);
    if let Some(line) = lines.find(|line| marker(line)) {
        let detail = format!(
            "a description is text alone, and it has a line `{}`",
            start(line)
        );
        return Err(Reason::Form.because(detail));
    }
    Ok(Pair {
        question: asked.to_owned(),
        answer: text.to_owned(),
    })
}

/// `Question:\n…\n===\nAnswer:\n…\n===\nQuestion:\n…`, to the end.
fn pairs(text: &str) -> Result<Vec<Pair>, Reject> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let blocks: Vec<&[&str]> = lines.split(|line| *line == SEPARATOR).collect();
    if !blocks.len().is_multiple_of(2) {
        let detail = format!(
            "{} parts are between lines of `===`, and questions and answers come in pairs",
            blocks.len()
        );
        return Err(Reason::Form.because(detail));
    }
    let pairs = blocks.chunks_exact(2).map(|pair| {
        Ok(Pair {
            question: part(pair[0], QUESTION)?,
            answer: part(pair[1], ANSWER)?,
        })
    });
    pairs.collect()
}

/// The text of a part that begins with `head`.
fn part(lines: &[&str], head: &str) -> Result<String, Reject> {
    let text = lines.join("\n");
    let text = text.trim();
    let body = text.strip_prefix(head).ok_or_else(|| {
        let detail = format!("a part begins with `{}` in place of `{head}`", start(text));
        Reason::Form.because(detail)
    })?;
    let heads = |line: &&str| line.starts_with(QUESTION) || line.starts_with(ANSWER);
    if let Some(line) = body.lines().find(heads) {
        let detail = format!("no line of `===` stands before `{}`", start(line));
        return Err(Reason::Form.because(detail));
    }
    let body = body.trim();
    if body.is_empty() {
        return Err(Reason::Empty.because(format!("nothing comes after a `{head}`")));
    }
    Ok(body.to_owned())
}

/// A line's first characters.
fn start(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Question:\nWhat is it?\n===\nAnswer:\nA dog.\n\nIt runs.\n===\n\
                        Question:\nWhere?\n===\nAnswer:\nIn a field.";

    fn conversation(text: &str) -> Result<Vec<(String, String)>, (Reason, String)> {
        outcome(ResponseType::Conversation, text)
    }

    fn outcome(kind: ResponseType, text: &str) -> Result<Vec<(String, String)>, (Reason, String)> {
        let pairs = read(kind, text, "Describe it.");
        let pairs = pairs.map_err(|reject| (reject.reason, reject.detail))?;
        let pairs = pairs.into_iter().map(|pair| (pair.question, pair.answer));
        Ok(pairs.collect())
    }

    fn reason(kind: ResponseType, text: &str) -> Reason {
        outcome(kind, text).expect_err(text).0
    }

    #[test]
    fn thoughts_are_cut_off_and_marks_are_no_text() {
        let detail = |text| outcome(ResponseType::Detail, text);
        let thought = detail("<think>\nA dog?\n</think>\n\nA dog runs.").expect("read");
        assert_eq!(thought[0].1, "A dog runs.");
        let open = detail("<think>A dog runs.").unwrap_err();
        assert_eq!(open.0, Reason::Form);
        assert_eq!(
            reason(ResponseType::Detail, "<think>…</think>"),
            Reason::Empty
        );
        for text in [
            "A <image> of a dog.",
            "A dog.</s> USER: hi",
            "A dog.<|im_end|>",
        ] {
            let (reason, why) = detail(text).unwrap_err();
            assert!(reason == Reason::Form && why.contains("no text"), "{why}");
        }
        let asked = GOOD.replace("What is it?", "What is in <image>?");
        assert_eq!(reason(ResponseType::Conversation, &asked), Reason::Form);
    }

    #[test]
    fn questions_and_answers_come_in_their_form() {
        let wanted = [
            ("What is it?", "A dog.\n\nIt runs."),
            ("Where?", "In a field."),
        ];
        let wanted = wanted.map(|(q, a)| (q.to_owned(), a.to_owned())).to_vec();
        for text in [
            GOOD.to_owned(),
            format!("\n{GOOD}\n\n"),
            GOOD.replace('\n', "\r\n"),
            GOOD.replace("===", "===  "),
            GOOD.replace("Question:\n", "Question: "),
            GOOD.replace("===\n", "\n===\n\n"),
        ] {
            assert_eq!(conversation(&text), Ok(wanted.clone()), "{text}");
        }
    }

    #[test]
    fn another_form_is_rejected_with_what_is_wrong() {
        for (text, said) in [
            ("A dog runs in a field.", "1 parts are between"),
            (&GOOD.replace("===", "---"), "1 parts are between"),
            (&format!("{GOOD}\n==="), "5 parts are between"),
            (&format!("{GOOD}\n===\nQuestion:\nWhy?"), "5 parts"),
            (
                &format!("Here it is:\n{GOOD}"),
                "`Here it is:` in place of `Question:`",
            ),
            (
                &GOOD.replace("Question:", "Q:"),
                "`Q:` in place of `Question:`",
            ),
            (&GOOD.replace("Question:", "**Question:**"), "in place of"),
            (
                &GOOD.replace("Answer:", "answer:"),
                "`answer:` in place of `Answer:`",
            ),
            (
                &GOOD.replace("===\nAnswer:\nA dog", "Answer:\nA dog"),
                "3 parts",
            ),
            (
                "Question:\nA?\nAnswer:\nB.\n===\nAnswer:\nC.",
                "no line of `===` stands before `Answer:`",
            ),
            (
                "Question:\nA?\n===\nQuestion:\nB?",
                "`Question:` in place of `Answer:`",
            ),
        ] {
            let (reason, detail) = conversation(text).expect_err(text);
            assert_eq!(reason, Reason::Form, "{text}");
            assert!(detail.contains(said), "{text}: {detail}");
        }
    }

    #[test]
    fn each_type_has_its_number_of_questions() {
        let single = "Question:\nWhy?\n===\nAnswer:\nBecause.";
        assert_eq!(
            reason(ResponseType::Conversation, single),
            Reason::SingleTurn
        );
        assert_eq!(reason(ResponseType::Reasoning, GOOD), Reason::Form);
        assert!(outcome(ResponseType::Reasoning, single).is_ok());
        assert_eq!(reason(ResponseType::Detail, single), Reason::Form);
        let described = outcome(ResponseType::Detail, " A dog.\n\nIt runs. ");
        let wanted = ("Describe it.".to_owned(), "A dog.\n\nIt runs.".to_owned());
        assert_eq!(described, Ok(vec![wanted]));
    }

    #[test]
    fn emptiness_refusals_and_sources_are_told_apart() {
        use ResponseType::{Conversation, Detail, Reasoning};
        let with = |answer: &str| GOOD.replace("In a field.", answer);
        for (kind, text, wanted) in [
            (Conversation, " \n".to_owned(), Reason::Empty),
            (Conversation, with(""), Reason::Empty),
            (Conversation, GOOD.replace("Where?", " "), Reason::Empty),
            (
                Detail,
                "I'm sorry, I can't see it.".to_owned(),
                Reason::Refusal,
            ),
            (Reasoning, "I cannot do that.".to_owned(), Reason::Refusal),
            (
                Conversation,
                with("I'm sorry, I don't know."),
                Reason::Refusal,
            ),
            (
                Conversation,
                with("The captions do not say."),
                Reason::MentionsSource,
            ),
            (
                Conversation,
                GOOD.replace("Where?", "Which caption fits?"),
                Reason::MentionsSource,
            ),
            (
                Detail,
                "A dog at [0.1, 0.2, 0.3, 0.4].".to_owned(),
                Reason::Coordinates,
            ),
        ] {
            assert_eq!(reason(kind, &text), wanted, "{text}");
        }
    }
}
