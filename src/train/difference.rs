//! What differs between two recipes, key by key.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

/// A key whose values differ.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Its dotted path: `stage.align.batch_size`.
    pub key: String,
    /// The first recipe's value, as TOML; absent if it states none.
    pub before: Option<String>,
    /// The second recipe's value.
    pub after: Option<String>,
}

impl Difference {
    /// Whether the key changes no number that a run computes: how often it is saved, how many threads
    /// prepare its data, what it is called.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        let key = self.key.as_str();
        ["name", "description"].contains(&key)
            || key.starts_with("checkpoint.")
            || (key.starts_with("stage.") && key.ends_with(".data.workers"))
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let (before, after) = (shown(&self.before), shown(&self.after));
        write!(f, "`{}` was {before} and is {after}", self.key)
    }
}

/// The keys in which two recipes, resolved, differ; sorted.
#[must_use]
pub fn differences(before: &Table, after: &Table) -> Vec<Difference> {
    let (before, after) = (flat(before), flat(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| Difference {
            key: key.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}

fn flat(table: &Table) -> BTreeMap<String, String> {
    fn walk(prefix: &str, table: &Table, into: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let path = match prefix {
                "" => key.clone(),
                prefix => format!("{prefix}.{key}"),
            };
            match value {
                Value::Table(inner) => walk(&path, inner, into),
                other => drop(into.insert(path, other.to_string())),
            }
        }
    }

    let mut found = BTreeMap::new();
    walk("", table, &mut found);
    found
}
