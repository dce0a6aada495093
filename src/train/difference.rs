//! What differs between two recipes, key by key.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

use serde::Serialize;
use toml::{Table, Value};

/// A key whose values differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The key with those of its tables, `stage.align.batch_size`.
    pub key: String,
    /// Its value in the first recipe as TOML; `None` where it is not stated.
    pub a: Option<String>,
    /// Its value in the second.
    pub b: Option<String>,
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

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "`{}` was {} and is {}",
            self.key,
            shown(&self.a),
            shown(&self.b)
        )
    }
}

/// The keys whose values differ between two recipes, resolved; in alphabetical order.
#[must_use]
pub fn differences(a: &Table, b: &Table) -> Vec<Difference> {
    let (a, b) = (flat(a), flat(b));
    let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .filter(|key| a.get(*key) != b.get(*key))
        .map(|key| Difference {
            key: key.clone(),
            a: a.get(key).map(ToString::to_string),
            b: b.get(key).map(ToString::to_string),
        })
        .collect()
}

/// Every value that is no table, by its whole key.
fn flat(table: &Table) -> BTreeMap<String, &Value> {
    fn add<'t>(prefix: &str, table: &'t Table, all: &mut BTreeMap<String, &'t Value>) {
        for (key, value) in table {
            let key = format!("{prefix}{key}");
            match value {
                Value::Table(table) => add(&format!("{key}."), table, all),
                value => {
                    all.insert(key, value);
                }
            }
        }
    }
    let mut all = BTreeMap::new();
    add("", table, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_differ_are_listed_tables_by_their_keys() {
        let a = "seed = 1\n[stage.align]\nsteps = 5\noptimizer = { type = \"adamw\", lr = 1e-3 }";
        let b = "seed = 1\nstages = [\"x\"]\n[stage.align]\nsteps = 6\noptimizer = { type = \"adamw\" }";
        let [a, b] = [a, b].map(|text| text.parse::<Table>().expect("TOML"));
        let found: Vec<(String, Option<String>, Option<String>)> = differences(&a, &b)
            .into_iter()
            .map(|difference| (difference.key, difference.a, difference.b))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("stage.align.optimizer.lr".to_owned(), text("0.001"), None),
                ("stage.align.steps".to_owned(), text("5"), text("6")),
                ("stages".to_owned(), None, text("[\"x\"]")),
            ]
        );
        assert!(differences(&a, &a).is_empty());
    }
}
