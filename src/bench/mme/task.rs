//! The tasks, by the names of their folders.

use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;

/// A task of MME, named as its folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "menagerie_core::schemars")]
#[allow(missing_docs, reason = "each is called what its folder is")]
pub enum Task {
    Existence,
    Count,
    Position,
    Color,
    Posters,
    Celebrity,
    Scene,
    Landmark,
    Artwork,
    #[serde(rename = "OCR")]
    Ocr,
    CommonsenseReasoning,
    NumericalCalculation,
    TextTranslation,
    CodeReasoning,
}

/// What a task is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Perception,
    Cognition,
}

impl Task {
    /// In the order of the paper's tables.
    pub(super) const ALL: [Self; 14] = [
        Self::Existence,
        Self::Count,
        Self::Position,
        Self::Color,
        Self::Posters,
        Self::Celebrity,
        Self::Scene,
        Self::Landmark,
        Self::Artwork,
        Self::Ocr,
        Self::CommonsenseReasoning,
        Self::NumericalCalculation,
        Self::TextTranslation,
        Self::CodeReasoning,
    ];

    /// Its folder's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Existence => "existence",
            Self::Count => "count",
            Self::Position => "position",
            Self::Color => "color",
            Self::Posters => "posters",
            Self::Celebrity => "celebrity",
            Self::Scene => "scene",
            Self::Landmark => "landmark",
            Self::Artwork => "artwork",
            Self::Ocr => "OCR",
            Self::CommonsenseReasoning => "commonsense_reasoning",
            Self::NumericalCalculation => "numerical_calculation",
            Self::TextTranslation => "text_translation",
            Self::CodeReasoning => "code_reasoning",
        }
    }

    /// The task of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }

    pub(super) fn kind(self) -> Kind {
        if self < Self::CommonsenseReasoning {
            Kind::Perception
        } else {
            Kind::Cognition
        }
    }
}
