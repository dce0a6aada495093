//! The three parts of a model.

use serde::Serialize;

/// The parts of a vision-language model, by the name of their table in a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// The encoder, `[vision]`.
    Vision,
    /// The projector, `[projector]`.
    Projector,
    /// The decoder, `[llm]`.
    Llm,
}

impl Component {
    /// All of them, in the order of the data.
    pub const ALL: [Self; 3] = [Self::Vision, Self::Projector, Self::Llm];

    /// The table's name in a recipe, which is also the field's name in the assembled module.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vision => "vision",
            Self::Projector => "projector",
            Self::Llm => "llm",
        }
    }
}

impl std::fmt::Display for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
