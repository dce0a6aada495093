//! What kind of question a question is, by its first words.

use serde::Serialize;

use super::words::words;

/// The kinds of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum QuestionType {
    /// `what`
    What,
    /// `which`
    Which,
    /// `who`, `whom`, `whose`
    Who,
    /// `where`
    Where,
    /// `when`
    When,
    /// `why`
    Why,
    /// `how many`, `how much`
    HowMany,
    /// `how` with anything else after it
    How,
    /// A verb first: `is`, `are`, `do`, `can`, …
    YesNo,
    /// `describe`, `explain`, … or `can you describe`, …
    Request,
    /// None of them.
    Other,
}

const VERBS: [&str; 27] = [
    "is", "are", "was", "were", "am", "do", "does", "did", "has", "have", "had", "can", "could",
    "will", "would", "shall", "should", "may", "might", "must", "isn't", "aren't", "doesn't",
    "don't", "can't", "won't", "wouldn't",
];

const REQUESTS: [&str; 36] = [
    "describe",
    "explain",
    "tell",
    "give",
    "provide",
    "write",
    "list",
    "name",
    "identify",
    "analyze",
    "analyse",
    "discuss",
    "compare",
    "summarize",
    "summarise",
    "imagine",
    "create",
    "generate",
    "suggest",
    "elaborate",
    "share",
    "narrate",
    "characterize",
    "characterise",
    "present",
    "illustrate",
    "break",
    "walk",
    "clarify",
    "examine",
    "portray",
    "outline",
    "point",
    "show",
    "look",
    "offer",
];

impl QuestionType {
    /// Of a question. Where its first words are of no kind, those after each comma are looked at, and
    /// after a preposition the word that follows: `In the picture, what …`, `For which …`.
    pub(super) fn of(question: &str) -> Self {
        let parts = question.split(',').map(Self::of_part);
        parts.flatten().next().unwrap_or(Self::Other)
    }

    fn of_part(part: &str) -> Option<Self> {
        let mut words = words(part).filter(|word| word != "please" && word != "and");
        let [first, second, third] = [words.next(), words.next(), words.next()];
        let first = first?;
        let second = second.as_deref().unwrap_or("");
        let asked = first.strip_suffix("'s").unwrap_or(&first);
        Some(match asked {
            "how" if matches!(second, "many" | "much") => Self::HowMany,
            verb if VERBS.contains(&verb) => match third.as_deref() {
                Some(third) if second == "you" && REQUESTS.contains(&third) => Self::Request,
                _ => Self::YesNo,
            },
            word if REQUESTS.contains(&word) => Self::Request,
            "in" | "on" | "at" | "for" | "from" | "to" | "of" | "with" | "by" | "about" => {
                Self::asking(second)?
            }
            word => Self::asking(word)?,
        })
    }

    fn asking(word: &str) -> Option<Self> {
        Some(match word {
            "what" => Self::What,
            "which" => Self::Which,
            "who" | "whom" | "whose" => Self::Who,
            "where" => Self::Where,
            "when" => Self::When,
            "why" => Self::Why,
            "how" => Self::How,
            _ => return None,
        })
    }

    /// As it is written in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::What => "what",
            Self::Which => "which",
            Self::Who => "who",
            Self::Where => "where",
            Self::When => "when",
            Self::Why => "why",
            Self::HowMany => "how-many",
            Self::How => "how",
            Self::YesNo => "yes-no",
            Self::Request => "request",
            Self::Other => "other",
        }
    }

    /// As it is shown.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::HowMany => "how many, how much",
            Self::YesNo => "is, are, does, can, …",
            Self::Request => "describe, explain, …",
            _ => self.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::QuestionType::{self, *};

    #[test]
    fn the_first_words_decide() {
        let cases = [
            ("What color is the bus?", What),
            ("What's on the table?", What),
            ("Which of them is taller?", Which),
            ("Whose dog is it?", Who),
            ("How many people are there?", HowMany),
            ("How much water is left?", HowMany),
            ("How is the weather?", How),
            ("Is the man standing?", YesNo),
            ("Isn\u{2019}t it late?", YesNo),
            ("Can you see a dog?", YesNo),
            ("Can you describe the scene?", Request),
            ("Please explain the joke.", Request),
            ("Describe the following image.", Request),
            ("In the picture, where is the cat?", Where),
            (
                "Considering the weather, and the hour, why might they run?",
                Why,
            ),
            ("At what time was it taken?", What),
            ("For which sport is it?", Which),
            ("The bus, the tram.", Other),
            ("?!", Other),
            ("", Other),
        ];
        for (question, expected) in cases {
            assert_eq!(QuestionType::of(question), expected, "{question}");
        }
    }
}
