//! Which option an answer names.
//!
//! The rules are those by which VLMEvalKit matches answers without a language model (its policy
//! `exact_matching`); what they cannot read, which there goes to a chat model, is a fault here.

use menagerie_core::benchmark::Question;
use menagerie_core::serde_json::Value;

use super::row::OPTIONS;

/// What is taken out of an answer before its words are looked at.
const PUNCTUATION: &str = ".()[],:;!*#{}";
/// A letter counts if at most so many words follow it.
const WORDS_AFTER: usize = 3;
/// What an answer says that could not be asked for.
const NO_REPLY: &str = "Failed to obtain answer via API";
/// What models say that do not answer.
const REFUSALS: [&str; 4] = [
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
];
/// A letter that says that no option fits.
const NONE: &str = "Z";

/// The options of a question: their letters and texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options<'q>(Vec<(char, &'q str)>);

impl<'q> Options<'q> {
    /// Of a question out of MMBench's tables; of another, A to D without a text.
    pub(super) fn of(question: &Question<'q>) -> Self {
        let Some(options) = question.field(OPTIONS).and_then(Value::as_object) else {
            return Self("ABCD".chars().map(|letter| (letter, "")).collect());
        };
        let options = options.iter().filter_map(|(letter, text)| {
            let letter = letter.chars().next()?;
            Some((letter, text.as_str().unwrap_or_default()))
        });
        Self(options.collect())
    }

    /// The text of an option, if there is one of that letter.
    pub(super) fn text(&self, letter: char) -> Option<&'q str> {
        let option = self.0.iter().find(|(other, _)| *other == letter)?;
        Some(option.1)
    }

    /// The letter of the option that an answer names, or why it names none.
    pub(super) fn read(&self, answer: &str) -> Result<char, &'static str> {
        if answer.trim().is_empty() {
            return Err("empty");
        }
        if answer.contains(NO_REPLY) {
            return self.by_text(answer);
        }
        if REFUSALS.iter().any(|refusal| answer.contains(refusal)) {
            return Err("refusal");
        }
        let bare = answer.replace(|char| PUNCTUATION.contains(char), " ");
        let words: Vec<&str> = bare.split_whitespace().collect();
        let is_letter = |word: &str, letter: char| word.strip_prefix(letter) == Some("");
        let named = self.0.iter().filter_map(|(letter, _)| {
            let place = words.iter().position(|word| is_letter(word, *letter))?;
            Some((*letter, place))
        });
        let named: Vec<_> = named.collect();
        match named[..] {
            [(letter, place)] if place + WORDS_AFTER + 1 >= words.len() => return Ok(letter),
            [] if words.contains(&NONE) => return Err("no option"),
            _ => {}
        }
        if let Some(letter) = answer_is(answer)
            && self.text(letter).is_some()
        {
            return Ok(letter);
        }
        let by_text = self.by_text(answer);
        match (by_text, &named[..], &words[..]) {
            (Err(_), [_, _, ..], _) => Err("several options"),
            (Err(_), [], [word]) if is_capital(word) => Err("letter out of range"),
            (by_text, ..) => by_text,
        }
    }

    /// The only option whose text is in the answer, regardless of case, unless the answer is more than
    /// twice as long as all of them.
    fn by_text(&self, answer: &str) -> Result<char, &'static str> {
        let answer = answer.to_lowercase();
        let length: usize = self.0.iter().map(|(_, text)| text.chars().count()).sum();
        if answer.chars().count() > 2 * length {
            return Err("no option");
        }
        let named = self
            .0
            .iter()
            .filter(|(_, text)| answer.contains(&text.to_lowercase()));
        let named: Vec<_> = named.collect();
        match named[..] {
            [(letter, _)] => Ok(*letter),
            [] => Err("no option"),
            _ => Err("several options"),
        }
    }
}

fn is_capital(word: &str) -> bool {
    word.len() == 1 && word.starts_with(|char: char| char.is_ascii_uppercase())
}

/// The letter from A to D after the first `answer is`, which may stand between asterisks; whatever
/// follows it, as in the original.
fn answer_is(answer: &str) -> Option<char> {
    let answer = answer.to_ascii_lowercase();
    let after = |(place, word): (usize, &str)| {
        let rest = answer[place + word.len()..].strip_prefix(char::is_whitespace)?;
        let rest = rest.trim_start().strip_prefix("is")?;
        let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
        let letter = rest.trim_start_matches('*').chars().next()?;
        let letter = letter.to_ascii_uppercase();
        ('A'..='D').contains(&letter).then_some(letter)
    };
    answer.match_indices("answer").find_map(after)
}
