//! Words and phrases, as they are looked for in a text.

/// The words of a text in lower case, without punctuation and without the `'s` of a possessive.
pub(super) fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('\u{2019}', "'");
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
    words
        .map(|word| word.trim_matches('\''))
        .map(|word| word.strip_suffix("'s").unwrap_or(word))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A text as it is compared: its words without articles.
pub(super) fn normalised(text: &str) -> String {
    let mut words = words(text);
    words.retain(|word| !["a", "an", "the"].contains(&word.as_str()));
    words.join(" ")
}

/// Phrases to look for.
#[derive(Debug)]
pub(super) struct Phrases(Vec<Vec<String>>);

impl Phrases {
    /// A phrase a line; lines that begin with `#` are comments.
    pub(super) fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let phrases = lines.map(words).filter(|phrase| !phrase.is_empty());
        Self(phrases.collect())
    }

    /// The first phrase that is anywhere in a text of these words.
    pub(super) fn within(&self, words: &[String]) -> Option<String> {
        let mut starts = (0..words.len()).map(|start| &words[start..]);
        starts.find_map(|rest| self.beginning(rest))
    }

    /// The phrase that a text of these words begins with.
    pub(super) fn beginning(&self, words: &[String]) -> Option<String> {
        let found = self.0.iter().find(|phrase| words.starts_with(phrase));
        found.map(|phrase| phrase.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_no_punctuation_and_no_case() {
        let found = words("The dog\u{2019}s \"T-shirt\" isn't red.");
        assert_eq!(found, ["the", "dog", "t", "shirt", "isn't", "red"]);
        assert_eq!(normalised("A dog, the  DOG!"), "dog dog");
    }

    #[test]
    fn phrases_are_whole_words() {
        let phrases = Phrases::read("# a comment\nbounding box\n");
        let within = |text: &str| phrases.within(&words(text));
        assert_eq!(
            within("in the Bounding-Box."),
            Some("bounding box".to_owned())
        );
        assert_eq!(within("bounding boxer"), None);
        assert_eq!(phrases.beginning(&words("a bounding box")), None);
    }
}
