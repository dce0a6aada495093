//! Yes or no?

use crate::bench::short_answer;

/// How the original scripts read an answer (`evaluate.py` of POPE, `eval_pope.py` of LLaVA): the first
/// sentence, without commas, says no if one of its words is `No`, `no` or `not`. Everything else says
/// yes, an empty answer and `NO` too.
pub(super) fn says_yes(answer: &str) -> bool {
    let sentence = first_sentence(answer).replace(',', "");
    let mut words = sentence.split(' ');
    !words.any(|word| matches!(word, "No" | "no" | "not"))
}

/// Why the reading is not to be trusted: the answer is empty or a refusal; in its first sentence it has
/// neither yes nor no, or both; or it says no in a form that is read as yes (`NO`, `no!`).
pub(super) fn fault(answer: &str) -> Option<&'static str> {
    if let Some(fault) = short_answer::fault(answer) {
        return Some(fault);
    }
    let sentence = first_sentence(answer).to_lowercase();
    let has = |meant: &[&str]| {
        let mut words = sentence.split(|c: char| !c.is_alphanumeric());
        words.any(|word| meant.contains(&word))
    };
    match (has(&["yes"]), has(&["no", "not"])) {
        (false, false) => Some("neither yes nor no"),
        (true, true) => Some("both yes and no"),
        (false, true) if says_yes(answer) => Some("no, read as yes"),
        _ => None,
    }
}

fn first_sentence(answer: &str) -> &str {
    answer.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_by_the_official_scripts() {
        let cases = short_answer::cases("pope/read.jsonl");
        assert!(cases.len() > 60);
        for case in cases {
            let text = case["text"].as_str().expect("a text");
            let read = if says_yes(text) { "yes" } else { "no" };
            assert_eq!(read, case["read"], "{text:?}");
        }
    }

    #[test]
    fn faults_by_hand() {
        for (answer, expected) in [
            ("Yes", None),
            ("No, there is not.", None),
            ("Yes. There is no doubt.", None),
            ("", Some("empty")),
            ("I'm sorry, I can't tell.", Some("refusal")),
            ("A dog. No cat.", Some("neither yes nor no")),
            ("Nora", Some("neither yes nor no")),
            ("Yes, no doubt", Some("both yes and no")),
            ("NO", Some("no, read as yes")),
            ("no!", Some("no, read as yes")),
        ] {
            assert_eq!(fault(answer), expected, "{answer:?}");
        }
    }
}
