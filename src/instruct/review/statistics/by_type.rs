//! A count for each type of response.

use serde::{Serialize, Serializer};

use crate::instruct::review::example::Kind;

/// How many there are of something, by the type of the sample. In JSON an object of the types that
/// have any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByType([usize; Kind::ALL.len()]);

impl ByType {
    pub(super) fn add(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    /// Of one type.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> usize {
        self.0[kind as usize]
    }

    /// Of all types.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// The types that have any, with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (Kind, usize)> {
        let counts = Kind::ALL.into_iter().zip(self.0);
        counts.filter(|(_, count)| *count > 0)
    }
}

impl Serialize for ByType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.counts().map(|(kind, count)| (kind.name(), count)))
    }
}
