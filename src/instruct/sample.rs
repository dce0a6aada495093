//! A finished sample.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::form::Pair;
use super::response::ResponseType;

/// A finished sample, a line of `samples.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sample {
    /// Its id, unlike all others: the context's and the type.
    pub id: String,
    /// The name of the image's file.
    pub image: String,
    /// The id of its context.
    pub context: String,
    /// What was made.
    #[serde(rename = "type")]
    pub kind: ResponseType,
    /// Questions and answers in turns, the first one with `<image>` before it.
    pub conversations: Vec<Turn>,
    /// What a reader should look at.
    pub flags: Vec<Flag>,
}

/// What one side says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Turn {
    /// `human` or `gpt`.
    pub from: String,
    /// The text.
    pub value: String,
}

/// Something doubtful that is no reason to drop a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Flag {
    /// `absent-object`: an answer names a thing that is in no caption and no box.
    pub kind: String,
    /// What it is about: the name of a COCO category.
    pub text: String,
}

/// A sample as LLaVA's data files have it.
#[derive(Debug, Serialize)]
pub(super) struct Written<'s> {
    id: &'s str,
    image: &'s str,
    conversations: &'s [Turn],
}

impl Sample {
    /// As LLaVA's data files have it.
    pub(super) fn written(&self) -> Written<'_> {
        Written {
            id: &self.id,
            image: &self.image,
            conversations: &self.conversations,
        }
    }
}

impl Flag {
    /// What its kind is called when an answer names a thing that the context does not have.
    pub(super) const ABSENT_OBJECT: &'static str = "absent-object";

    pub(super) fn absent_object(category: String) -> Self {
        Self {
            kind: Self::ABSENT_OBJECT.to_owned(),
            text: category,
        }
    }
}

/// Questions and answers in turns.
pub(super) fn turns(pairs: &[Pair]) -> Vec<Turn> {
    let turn = |from: &str, value: String| Turn {
        from: from.to_owned(),
        value,
    };
    let pairs = pairs.iter().enumerate().flat_map(|(place, pair)| {
        let mark = if place == 0 { "<image>\n" } else { "" };
        [
            turn("human", format!("{mark}{}", pair.question)),
            turn("gpt", pair.answer.clone()),
        ]
    });
    pairs.collect()
}

/// How many flags of each kind samples have.
pub(super) fn count_flags<'s>(
    samples: impl IntoIterator<Item = &'s [Flag]>,
) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for flag in samples.into_iter().flatten() {
        *counts.entry(flag.kind.clone()).or_default() += 1;
    }
    counts
}
