//! A sample as it is reviewed: of a run of `menagerie instruct`, or of any data in LLaVA's format.

use menagerie_core::chat::{IMAGE_MARK, Role, Turn};
use serde::Serialize;

use crate::instruct::{Flag, ResponseType, Sample};

/// Which of the types of response a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Questions and answers about what is seen.
    Conversation,
    /// A detailed description.
    Detail,
    /// Complex reasoning.
    Reasoning,
    /// The data states no type, as LLaVA's JSON does not.
    Untyped,
}

impl Kind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [
        Self::Conversation,
        Self::Detail,
        Self::Reasoning,
        Self::Untyped,
    ];

    /// As it is written in JSON and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Detail => "detail",
            Self::Reasoning => "reasoning",
            Self::Untyped => "untyped",
        }
    }
}

impl From<ResponseType> for Kind {
    fn from(kind: ResponseType) -> Self {
        match kind {
            ResponseType::Conversation => Self::Conversation,
            ResponseType::Detail => Self::Detail,
            ResponseType::Reasoning => Self::Reasoning,
        }
    }
}

/// A sample.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Example {
    pub id: String,
    pub kind: Kind,
    /// Names of its image files.
    pub images: Vec<String>,
    /// The id of the context that it was made from.
    pub context: Option<String>,
    pub turns: Vec<Turn>,
    pub flags: Vec<Flag>,
}

impl From<Sample> for Example {
    fn from(sample: Sample) -> Self {
        let turns = sample.conversations.into_iter();
        Self {
            id: sample.id,
            kind: sample.kind.into(),
            images: vec![sample.image],
            context: Some(sample.context),
            turns: turns
                .map(|turn| match turn.from.as_str() {
                    "human" => Turn::human(turn.value),
                    _ => Turn::assistant(turn.value),
                })
                .collect(),
            flags: sample.flags,
        }
    }
}

impl Example {
    /// What is asked, without the marks of images. An empty question is none.
    pub(super) fn questions(&self) -> impl Iterator<Item = String> {
        let asked = self.turns.iter().filter(|turn| turn.role == Role::Human);
        let texts = asked.map(|turn| turn.text.replace(IMAGE_MARK, " ").trim().to_owned());
        texts.filter(|text| !text.is_empty())
    }

    /// What is answered.
    pub(super) fn answers(&self) -> impl Iterator<Item = &str> {
        let said = self.turns.iter();
        said.filter(|turn| turn.role == Role::Assistant)
            .map(|turn| turn.text.as_str())
    }
}
