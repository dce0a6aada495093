//! How many samples of each type are made.

use std::ops::{Index, IndexMut};
use std::str::FromStr;

use menagerie_core::error::nearest;
use serde::{Deserialize, Serialize};

use super::response::ResponseType;

/// The largest number of samples of a type, and the largest share.
pub(crate) const MOST: u64 = 10_000_000;

/// A value for each type of response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerType<T> {
    /// For conversations.
    pub conversation: T,
    /// For descriptions.
    pub detail: T,
    /// For reasonings.
    pub reasoning: T,
}

/// How many samples are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amounts {
    /// So many of each type.
    Counts(PerType<u64>),
    /// So many in all, of which each type has a share.
    Shares {
        /// The shares, in proportion to each other.
        shares: PerType<u64>,
        /// All samples. Default: as many as there are contexts.
        samples: Option<u64>,
    },
}

impl PerType<u64> {
    /// The paper's thousands of conversations, descriptions and reasonings (section 3).
    pub const PAPER: Self = Self {
        conversation: 58,
        detail: 23,
        reasoning: 77,
    };

    /// The sum.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.conversation
            .saturating_add(self.detail)
            .saturating_add(self.reasoning)
    }

    /// Divides `total` in proportion: everyone gets the whole part of its share, and what is left
    /// goes to the largest remainders. `None` if all shares are 0.
    fn divide(&self, total: u64) -> Option<Self> {
        let sum = u128::from(self.total());
        let exact = |kind| u128::from(total) * u128::from(self[kind]);
        let mut parts = Self::default();
        for kind in ResponseType::ALL {
            let part = exact(kind).checked_div(sum)?;
            parts[kind] = u64::try_from(part).unwrap_or(u64::MAX);
        }
        let mut kinds = ResponseType::ALL;
        kinds.sort_by_key(|kind| std::cmp::Reverse(exact(*kind) % sum));
        let left = usize::try_from(total - parts.total()).unwrap_or(0);
        for kind in kinds.into_iter().take(left) {
            parts[kind] += 1;
        }
        Some(parts)
    }
}

impl Amounts {
    /// The samples of each type that are made of `contexts`; `None` if there are none.
    pub(super) fn counts(&self, contexts: usize) -> Option<PerType<u64>> {
        let counts = match self {
            Self::Counts(counts) => *counts,
            Self::Shares { shares, samples } => {
                shares.divide(samples.unwrap_or(contexts as u64))?
            }
        };
        (counts.total() > 0).then_some(counts)
    }
}

impl Default for Amounts {
    fn default() -> Self {
        Self::Shares {
            shares: PerType::PAPER,
            samples: None,
        }
    }
}

/// `conversation=58,detail=23`: a type that is not named has none.
impl FromStr for PerType<u64> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::default();
        let mut named = Vec::new();
        for part in text.split(',') {
            let (name, number) = part.split_once('=').ok_or_else(|| {
                format!("`{part}` is no TYPE=NUMBER, as in conversation=58,detail=23,reasoning=77")
            })?;
            let kind = ResponseType::named(name.trim()).ok_or_else(|| {
                let allowed = ResponseType::ALL.map(|kind| kind.name().to_owned());
                let near = nearest(name, &allowed);
                format!(
                    "no type is called `{name}`; there are: {}{near}",
                    allowed.join(", ")
                )
            })?;
            if named.contains(&kind) {
                return Err(format!("`{kind}` is there twice"));
            }
            named.push(kind);
            let number = number.trim();
            let parsed = number.parse().ok().filter(|number| *number <= MOST);
            all[kind] =
                parsed.ok_or_else(|| format!("`{number}` is no whole number from 0 to {MOST}"))?;
        }
        if all.total() == 0 {
            return Err("one number must be above 0".to_owned());
        }
        Ok(all)
    }
}

impl<T> Index<ResponseType> for PerType<T> {
    type Output = T;

    fn index(&self, kind: ResponseType) -> &T {
        match kind {
            ResponseType::Conversation => &self.conversation,
            ResponseType::Detail => &self.detail,
            ResponseType::Reasoning => &self.reasoning,
        }
    }
}

impl<T> IndexMut<ResponseType> for PerType<T> {
    fn index_mut(&mut self, kind: ResponseType) -> &mut T {
        match kind {
            ResponseType::Conversation => &mut self.conversation,
            ResponseType::Detail => &mut self.detail,
            ResponseType::Reasoning => &mut self.reasoning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(conversation: u64, detail: u64, reasoning: u64) -> PerType<u64> {
        PerType {
            conversation,
            detail,
            reasoning,
        }
    }

    #[test]
    fn shares_add_up_and_the_largest_remainders_are_served_first() {
        // 58/158, 23/158 and 77/158 of 80: 29.37, 11.65, 38.99.
        let counts = Amounts::default().counts(80);
        assert_eq!(counts, Some(parts(29, 12, 39)));
        let all = Amounts::Shares {
            shares: PerType::PAPER,
            samples: Some(158_000),
        };
        assert_eq!(all.counts(1), Some(parts(58_000, 23_000, 77_000)));
        for total in 0..200 {
            let divided = PerType::PAPER.divide(total).expect("shares");
            assert_eq!(divided.total(), total);
        }
        assert_eq!(Amounts::default().counts(0), None);
        assert_eq!(parts(0, 0, 0).divide(3), None);
    }

    #[test]
    fn amounts_are_read_by_name() {
        assert_eq!("detail=3, conversation=1".parse(), Ok(parts(1, 3, 0)));
        for (text, said) in [
            (
                "details=3",
                "there are: conversation, detail, reasoning (did you mean",
            ),
            ("detail", "TYPE=NUMBER"),
            ("detail=-1", "whole number"),
            ("detail=0", "above 0"),
            ("detail=1,detail=2", "twice"),
        ] {
            let error = text.parse::<PerType<u64>>().expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
