//! Answers that are none.

/// More words than this are a sentence, and no word or phrase.
const PHRASE: usize = 10;

/// How a model begins that will not answer, in lower case.
const REFUSALS: [&str; 13] = [
    "sorry, i",
    "sorry, but",
    "i'm sorry",
    "i am sorry",
    "i apologize",
    "i can't",
    "i cannot",
    "i can not",
    "i'm unable",
    "i am unable",
    "i'm not able",
    "i am not able",
    "as an ai",
];

/// Why an answer is none: `empty`, or `refusal` if it begins as refusals do.
pub(in crate::bench) fn fault(answer: &str) -> Option<&'static str> {
    let answer = answer.trim();
    if answer.is_empty() {
        return Some("empty");
    }
    is_refusal(answer).then_some("refusal")
}

/// The same, and `sentence` for more than ten words.
pub(in crate::bench) fn phrase_fault(answer: &str) -> Option<&'static str> {
    let sentence = answer.split_whitespace().count() > PHRASE;
    fault(answer).or_else(|| sentence.then_some("sentence"))
}

fn is_refusal(answer: &str) -> bool {
    let answer = answer.to_lowercase().replace('\u{2019}', "'");
    REFUSALS.iter().any(|start| {
        let rest = answer.strip_prefix(start);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_by_hand() {
        assert_eq!(fault(" \n"), Some("empty"));
        assert_eq!(
            fault("I\u{2019}m sorry, but I can't see it."),
            Some("refusal")
        );
        assert_eq!(fault("As an AI language model, no."), Some("refusal"));
        assert_eq!(fault("as an aid"), None);
        assert_eq!(fault("sorry we are closed"), None);
        let ten = "a b c d e f g h i j";
        assert_eq!(phrase_fault(ten), None);
        assert_eq!(phrase_fault(&format!("{ten} k")), Some("sentence"));
        assert_eq!(phrase_fault("I cannot say what that is"), Some("refusal"));
    }
}
