//! Which option an answer names, as LLaVA's `eval_science_qa.py` reads it.

/// Letters of options: ScienceQA has no more than five.
const OPTIONS: &str = "ABCDE";
/// What the answer's letter stands between.
const BEFORE: &str = "The answer is ";

/// An option's letter. One read from a sentence may be any capital.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Letter(char);

impl Letter {
    /// The letter of the option at a place, from 0.
    pub(super) fn at(place: usize) -> Option<Self> {
        OPTIONS.chars().nth(place).map(Self)
    }

    /// The letter's place, from 0.
    pub(super) fn place(self) -> u64 {
        u64::from(u32::from(self.0)) - u64::from(u32::from('A'))
    }

    /// An answer that is a letter, one that begins with a letter, a full stop and a space, or one with
    /// exactly one `The answer is X.`, whatever stands for the stop. Otherwise, why it is none of these.
    pub(super) fn read(answer: &str) -> Result<Self, &'static str> {
        let mut chars = answer.chars();
        if let Some(first) = chars.next().filter(|first| OPTIONS.contains(*first)) {
            let rest = chars.as_str();
            if rest.is_empty() || rest.starts_with(". ") {
                return Ok(Self(first));
            }
        }
        match stated(answer)[..] {
            [letter] => Ok(letter),
            [] if answer.trim().is_empty() => Err("empty"),
            [] => Err("no answer"),
            _ => Err("several answers"),
        }
    }
}

impl std::fmt::Display for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The letters of all `The answer is X.`, none within another.
fn stated(mut text: &str) -> Vec<Letter> {
    let mut letters = Vec::new();
    while let Some(place) = text.find(BEFORE) {
        let after = &text[place + BEFORE.len()..];
        let mut chars = after.chars();
        let letter = chars.next().filter(char::is_ascii_uppercase);
        let stop = chars.next().filter(|stop| *stop != '\n');
        if let (Some(letter), Some(_)) = (letter, stop) {
            letters.push(Letter(letter));
            text = chars.as_str();
        } else {
            text = after;
        }
    }
    letters
}
