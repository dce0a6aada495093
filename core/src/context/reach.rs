//! What a decoder asks of how far a pass reaches.

use std::collections::BTreeSet;

/// The questions about [`Context::reach`](super::Context::reach) so far. Rows for which all of them have the same answers
/// are computed alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reaches {
    /// Whether it was asked how far exactly.
    exactly: bool,
    /// Lengths that it was compared with.
    past: BTreeSet<usize>,
}

impl Reaches {
    pub(super) fn exactly(&mut self) {
        self.exactly = true;
    }

    pub(super) fn past(&mut self, tokens: usize) {
        self.past.insert(tokens);
    }

    /// Adds what another pass was asked.
    pub(crate) fn extend(&mut self, other: Self) {
        self.exactly |= other.exactly;
        self.past.extend(other.past);
    }

    /// Whether rows that reach so far are computed alike.
    pub(crate) fn alike(&self, one: usize, other: usize) -> bool {
        let same = |&tokens: &usize| (one > tokens) == (other > tokens);
        one == other || !self.exactly && self.past.iter().all(same)
    }
}
