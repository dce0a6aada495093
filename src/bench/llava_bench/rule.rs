//! The judge's roles and rules, in the form of the original's `rule.json`.

use std::collections::BTreeMap;
use std::path::Path;

use menagerie_core::benchmark::{FilesError, read_json};
use menagerie_core::hex::hex;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Edition;

/// See the README beside it for origin and licence.
const PUBLISHED: &str = include_str!("rule.json");

/// A rule: what the two that answered are called, and what the judge is to do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub role: String,
    pub prompt: String,
}

/// Rules by category.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Rules(BTreeMap<String, Rule>);

impl Rules {
    /// Those of the original.
    pub fn published() -> Self {
        serde_json::from_str(PUBLISHED).expect("a file of this program")
    }

    /// Those of a user's file.
    pub fn read(path: &Path) -> Result<Self, FilesError> {
        read_json(path)
    }

    /// The rule of a category, or the keys that there are.
    pub fn get(&self, edition: &Edition, category: &str) -> Result<&Rule, String> {
        let key = format!("{}{category}", edition.prefix);
        self.0.get(&key).ok_or_else(|| {
            let keys: Vec<_> = self.0.keys().map(String::as_str).collect();
            format!("there is no rule `{key}`; there are: {}", keys.join(", "))
        })
    }

    /// The name of these rules for one edition, if a judge reads anything else than the original's.
    pub fn other(&self, edition: &Edition) -> Option<String> {
        let published = Self::published();
        if self.of(edition).eq(published.of(edition)) {
            return None;
        }
        let mut hasher = Sha256::new();
        for (key, rule) in self.of(edition) {
            for text in [key, &rule.role, &rule.prompt] {
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text);
            }
        }
        Some(hex(&hasher.finalize()[..4]))
    }

    /// The rules that an edition uses.
    fn of(&self, edition: &Edition) -> impl Iterator<Item = (&String, &Rule)> {
        let keys = super::score::CATEGORIES.map(|name| format!("{}{name}", edition.prefix));
        self.0.iter().filter(move |(key, _)| keys.contains(key))
    }
}
