//! The words of a text as they are compared: in lower case, without what stands around them.

/// The words, in order.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split_whitespace().map(|word| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        word.to_lowercase().replace('\u{2019}', "'")
    });
    words.filter(|word| !word.is_empty())
}

/// How many words a text has: runs of anything but white space.
pub(super) fn count(text: &str) -> usize {
    text.split_whitespace().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_punctuation_are_no_part_of_a_word() {
        let text = "  \u{201c}What\u{2019}s THAT?\u{201d} - a T-shirt.\n";
        let found: Vec<String> = words(text).collect();
        assert_eq!(found, ["what's", "that", "a", "t-shirt"]);
        assert_eq!(count(text), 5);
    }
}
