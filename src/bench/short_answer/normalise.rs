//! Answers as VQA's evaluation and LLaVA's `m4c_evaluator.py` compare them, oddities included.

use std::borrow::Cow;

use super::contractions::expand;

/// Marks that an answer loses, in the order of the original.
const MARKS: [char; 21] = [
    ';', '/', '[', ']', '"', '{', '}', '(', ')', '=', '+', '\\', '_', '-', '>', '<', '@', '`', ',',
    '?', '!',
];

/// The original gives `re.sub` a flag, `re.UNICODE`, where it takes the most replacements: 32.
const MOST_FULL_STOPS: usize = 32;

/// What both scripts do to an answer before anything else: line breaks and tabs become spaces, and
/// the space around it goes.
pub(in crate::bench) fn tidy(answer: &str) -> String {
    let spaced = answer.replace(['\n', '\t'], " ");
    spaced.trim_matches(is_space).to_owned()
}

/// VQA's `processPunctuation`, then its `processDigitArticle`.
pub(in crate::bench) fn normalise(answer: &str) -> String {
    words(&without_marks(answer))
}

/// LLaVA's `EvalAIAnswerProcessor`: the same in lower case, without commas and question marks, and
/// with `'s` as a word.
pub(in crate::bench) fn processed(answer: &str) -> String {
    let answer = answer.to_lowercase().replace([',', '?'], "");
    let answer = answer.replace("'s", " 's");
    normalise(&tidy(&answer))
}

/// A mark goes if the answer has it beside a space anywhere, or has a comma within a number anywhere;
/// otherwise it becomes a space. A full stop goes unless a digit follows: the original means to ask for
/// a digit before it too, and does not.
fn without_marks(answer: &str) -> String {
    let comma_in_number = has_comma_in_number(answer);
    let mut text = answer.to_owned();
    for mark in MARKS {
        if text.contains(mark) {
            let goes = comma_in_number || stands_beside_space(answer, mark);
            text = text.replace(mark, if goes { "" } else { " " });
        }
    }
    without_full_stops(&text)
}

fn stands_beside_space(text: &str, mark: char) -> bool {
    let mut places = text.match_indices(mark);
    places.any(|(place, found)| {
        text[..place].ends_with(' ') || text[place + found.len()..].starts_with(' ')
    })
}

fn without_full_stops(text: &str) -> String {
    let mut taken = 0;
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        let goes =
            next == '.' && taken < MOST_FULL_STOPS && !rest.peek().copied().is_some_and(is_digit);
        taken += usize::from(goes);
        if !goes {
            kept.push(next);
        }
    }
    kept
}

fn has_comma_in_number(text: &str) -> bool {
    let all: Vec<char> = text.chars().collect();
    all.windows(3)
        .any(|three| is_digit(three[0]) && three[1] == ',' && is_digit(three[2]))
}

/// Lower case, number words as digits, no articles, apostrophes where they belong, one space between
/// words.
fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let words: Vec<Cow<'_, str>> = lower
        .split(is_space)
        .filter(|word| !word.is_empty())
        .map(number)
        .filter(|word| !matches!(*word, "a" | "an" | "the"))
        .map(|word| Cow::Borrowed(expand(word)))
        .collect();
    words.join(" ")
}

fn number(word: &str) -> &str {
    match word {
        "none" | "zero" => "0",
        "one" => "1",
        "two" => "2",
        "three" => "3",
        "four" => "4",
        "five" => "5",
        "six" => "6",
        "seven" => "7",
        "eight" => "8",
        "nine" => "9",
        "ten" => "10",
        other => other,
    }
}

/// What Python's `str.split` splits at: Unicode's white space and four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// What Python's `\d` matches: a decimal digit of any script.
fn is_digit(c: char) -> bool {
    let code = u32::from(c);
    let of_zero = |zero: &u32| (*zero..zero + 10).contains(&code);
    c.is_ascii_digit() || (!c.is_ascii() && ZEROS.iter().any(of_zero))
}

/// The zero of each script, beside ASCII, whose digits Unicode 14 counts as decimal; one to nine follow.
#[rustfmt::skip]
const ZEROS: [u32; 65] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0,
    0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0,
    0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce,
    0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_normalised_as_by_the_official_scripts() {
        let cases = super::super::cases("vqa/texts.jsonl");
        assert!(cases.len() > 300);
        for case in cases {
            let text = case["text"].as_str().expect("a text");
            assert_eq!(normalise(text), case["vqa"], "VQA, of {text:?}");
            assert_eq!(processed(text), case["m4c"], "M4C, of {text:?}");
        }
    }

    #[test]
    fn oddities_by_hand() {
        assert_eq!(normalise("The two red dogs."), "2 red dogs");
        // A slash that no space stands beside becomes one; a hyphen beside a space goes everywhere.
        assert_eq!(normalise("red/white"), "red white");
        assert_eq!(normalise("t-shirt - blue"), "tshirt blue");
        // One comma within a number, and every mark goes without a trace.
        assert_eq!(normalise("1,000 red/white"), "1000 redwhite");
        // `.5` keeps its full stop, `5.` does not, and the 33rd stays.
        assert_eq!(normalise(".5 5."), ".5 5");
        assert_eq!(normalise(&".".repeat(34)), "..");
        assert_eq!(processed("the man's hat, isnt it?"), "man 's hat isn't it");
    }
}
