//! Two models on a question: whose answer counts (arXiv 2304.08485, section 5.2).

use menagerie_core::benchmark::{Question, Review};
use menagerie_core::chat::Message;

use super::problem::{ASKED, SECOND};
use super::reading::Letter;

/// The letter that counts, or why there is none or not the one that there should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub letter: Option<Letter>,
    pub fault: Option<&'static str>,
}

impl Verdict {
    /// The model's alone.
    pub(super) fn of(own: Result<Letter, &'static str>) -> Self {
        Self {
            letter: own.ok(),
            fault: own.err(),
        }
    }

    /// The second model's, and the model's where that cannot be read.
    pub(super) fn complement(own: Result<Letter, &'static str>, second: Option<Letter>) -> Self {
        second.map_or(Self::of(own), |letter| Self::of(Ok(letter)))
    }

    /// The judge's where the two differ, and the model's where they do not or the judge cannot be read.
    pub(super) fn judged(
        own: Result<Letter, &'static str>,
        second: Option<Letter>,
        review: Option<&str>,
    ) -> Self {
        if !differ(own.ok(), second) {
            return Self::of(own);
        }
        let fault = match review.map(Letter::read) {
            Some(Ok(letter)) => return Self::of(Ok(letter)),
            Some(Err(_)) => "no verdict",
            None => "not judged",
        };
        Self {
            letter: own.ok(),
            fault: Some(fault),
        }
    }
}

/// Whether a judge is needed: the second model has an answer, and it is not the model's.
pub(super) fn differ(own: Option<Letter>, second: Option<Letter>) -> bool {
    second.is_some() && own != second
}

/// The longest verdict, in tokens.
const LONGEST: u32 = 512;

/// Asks for a verdict in the form in which answers are read. The words are ours: the original's are not
/// published.
pub(super) fn review(question: &Question<'_>, answer: &str) -> Review {
    let problem = match question.word(ASKED) {
        "" => question.text(),
        problem => problem.to_owned(),
    };
    let second = question.word(SECOND);
    let rules = "You are given a multiple-choice question from a science class and the answers of \
                 two students, who do not agree. Student 1 saw the image, if the question has one; \
                 student 2 did not. Weigh both, solve the question yourself, and say which option is \
                 right. Both may be wrong. End with one sentence of the form `The answer is X.`, \
                 where X is the letter of an option, and write that sentence only once.";
    let asked = format!(
        "[Question]\n{problem}\n\n[Student 1]\n{answer}\n\n[Student 2]\n{second}\n\n[Your verdict]"
    );
    let messages = vec![Message::system(rules), Message::user(asked)];
    Review::new(messages, 0.0, LONGEST)
}
