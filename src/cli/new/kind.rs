//! What a new crate may add.

use std::fmt::{self, Display, Formatter};

use menagerie_core::{Component, plugin};

use super::error::NewError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Kind {
    /// Pixels to features: `[vision]`.
    Encoder,
    /// Features to the decoder's space: `[projector]`.
    Projector,
    /// Embeddings to words: `[llm]`.
    Decoder,
    /// Questions and how answers are marked: `[eval] benchmark`.
    Benchmark,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Projector => "projector",
            Self::Decoder => "decoder",
            Self::Benchmark => "benchmark",
        }
    }

    /// What makes the article `a` fit.
    pub(super) const fn n(self) -> &'static str {
        match self {
            Self::Encoder => "n",
            _ => "",
        }
    }

    /// The plugins of this kind that are linked in, with their crates.
    pub(super) fn existing(self) -> Result<Vec<(&'static str, &'static str)>, NewError> {
        let component = match self {
            Self::Encoder => Component::Vision,
            Self::Projector => Component::Projector,
            Self::Decoder => Component::Llm,
            Self::Benchmark => {
                let all = plugin::benchmarks()?.into_iter();
                return Ok(all.map(|found| (found.name, found.crate_name)).collect());
            }
        };
        let all = plugin::list()?.into_iter();
        let ours = all.filter(|info| info.component == component);
        Ok(ours.map(|info| (info.name, info.crate_name)).collect())
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
