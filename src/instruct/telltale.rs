//! What a writer gives away who was told of a picture and did not see it, or who does not want to
//! write.

use std::sync::LazyLock;

use super::reject::{Reason, Reject};
use super::words::{Phrases, words};

static REFUSALS: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::read(include_str!("telltale/refusals.txt")));
static MENTIONS: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::read(include_str!("telltale/mentions.txt")));

/// Whether a reply or an answer begins as a refusal does.
pub(super) fn refusal(text: &str) -> Result<(), Reject> {
    match REFUSALS.beginning(&words(text)) {
        None => Ok(()),
        Some(phrase) => Err(Reason::Refusal.because(format!("it begins with `{phrase}`"))),
    }
}

/// Whether a turn speaks of captions, boxes or of having been told, or states numbers of places.
pub(super) fn source(text: &str) -> Result<(), Reject> {
    if let Some(phrase) = MENTIONS.within(&words(text)) {
        return Err(Reason::MentionsSource.because(format!("it says `{phrase}`")));
    }
    if let Some(numbers) = coordinates(text) {
        return Err(Reason::Coordinates.because(format!("it has `{numbers}`")));
    }
    Ok(())
}

/// Numbers as contexts have them: several in brackets, one with a point; or one with three decimals
/// between 0 and 1.
fn coordinates(text: &str) -> Option<&str> {
    bracketed(text).or_else(|| {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit() && c != '.');
        numbers.find_map(|number| {
            let number = number.trim_end_matches('.');
            let decimals = number.strip_prefix("0.")?;
            (decimals.len() == 3 && is_number(decimals)).then_some(number)
        })
    })
}

fn bracketed(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(open) = rest.find(['[', '(']) {
        let inside = &rest[open + 1..];
        let close = inside.find(['[', ']', '(', ')']).unwrap_or(inside.len());
        let numbers = || inside[..close].split(',').map(str::trim);
        let with_point = numbers().any(|number| number.contains('.'));
        let many = numbers().count();
        if many >= 2 && (with_point || many == 4) && numbers().all(is_number) {
            return Some(&inside[..close]);
        }
        rest = inside;
    }
    None
}

fn is_number(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    text.chars().all(is_part) && text.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_stand_at_the_beginning() {
        for text in [
            "I'm sorry, but I can't help with that.",
            "I\u{2019}m sorry",
            "As an AI language model, I do not see pictures.",
            "Unfortunately, I cannot tell.",
            "Sorry, but no.",
        ] {
            let reject = refusal(text).expect_err(text);
            assert_eq!(reject.reason, Reason::Refusal, "{text}");
        }
        for text in [
            "The boy says \"I'm sorry\" to the dog.",
            "It cannot be told whether it rains.",
            "I see a dog.",
        ] {
            assert_eq!(refusal(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn turns_that_give_their_source_away_are_found() {
        for (text, reason) in [
            (
                "According to the captions, it is a dog.",
                Reason::MentionsSource,
            ),
            ("The bounding box is large.", Reason::MentionsSource),
            ("The color is not mentioned.", Reason::MentionsSource),
            (
                "Based on the information provided, a dog.",
                Reason::MentionsSource,
            ),
            ("It is at [0.1, 0.2, 0.3, 0.4].", Reason::Coordinates),
            ("It is at (0.25, 0.5).", Reason::Coordinates),
            ("The dog [12, 20, 40, 80] runs.", Reason::Coordinates),
            ("Its left edge is at 0.384.", Reason::Coordinates),
        ] {
            assert_eq!(source(text).expect_err(text).reason, reason, "{text}");
        }
        for text in [
            "A pizza box lies on the table, next to 2 (or 3, or 4) cups.",
            "He runs 0.5 miles in 3.14 minutes (about 3.2 of them uphill).",
            "The players coordinate their steps (1, 2).",
            "A man reads the text on a sign [sic].",
            "It cost 10.125 dollars.",
            "",
        ] {
            assert_eq!(source(text), Ok(()), "{text}");
        }
    }
}
