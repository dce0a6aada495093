//! What asks for a short answer.

use menagerie_core::benchmark::Question;
use menagerie_core::chat::Turn;
use menagerie_core::schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The field of a question that is asked word for word, since its file has the prompt in it.
pub(super) const WORD_FOR_WORD: &str = "word_for_word";

/// What follows a question on a line of its own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct Prompt(String);

impl Default for Prompt {
    /// As LLaVA-1.5 asks for short answers (arXiv 2310.03744, section 3.2).
    fn default() -> Self {
        Self("Answer the question using a single word or phrase.".to_owned())
    }
}

impl Prompt {
    /// The question with the prompt behind it, if it has none of its own.
    pub(in crate::bench) fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        let mut turns = question.turns.to_vec();
        let asked = question.field(WORD_FOR_WORD).is_some() || self.0.is_empty();
        if let (false, Some(last)) = (asked, turns.last_mut()) {
            last.text.push('\n');
            last.text.push_str(&self.0);
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use menagerie_core::benchmark::Item;

    use super::*;

    #[test]
    fn it_stands_on_a_line_of_its_own_and_only_once() {
        let asked = |item: &Item, prompt: &Prompt| {
            let question = Question::new("1", &item.turns, "").with_fields(&item.fields);
            prompt.ask(&question)[0].text.clone()
        };
        let plain = Item::new("1", "<image>\nIs it red?");
        assert_eq!(
            asked(&plain, &Prompt::default()),
            "<image>\nIs it red?\nAnswer the question using a single word or phrase."
        );
        assert_eq!(asked(&plain, &Prompt(String::new())), "<image>\nIs it red?");
        let whole = plain.with_field(WORD_FOR_WORD, true);
        assert_eq!(asked(&whole, &Prompt::default()), "<image>\nIs it red?");
    }
}
