//! What of a run follows from recipe and data alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Every file of a run but for what tells of time, by its path within it.
///
/// `timings.jsonl`, `report.html` and TensorBoard's files are left out, and so are times and what
/// follows from them in `manifest.json` and `checkpoint.json`; of `SHA256SUMS` the names count.
pub fn state(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    walk(run, run, &mut found);
    found
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tensorboard") {
                walk(root, &path, found);
            }
            continue;
        }
        let bytes = || fs::read(&path).unwrap();
        let kept = match path.file_name().unwrap().to_str().unwrap() {
            "timings.jsonl" | "report.html" | ".lock" => continue,
            "checkpoint.json" | "manifest.json" => timeless(&bytes()),
            "SHA256SUMS" => names(&bytes()),
            _ => bytes(),
        };
        found.insert(path.strip_prefix(root).unwrap().to_owned(), kept);
    }
}

/// A JSON file without times and without the length of the log of times.
fn timeless(json: &[u8]) -> Vec<u8> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                let timed = ["seconds", "started_unix_seconds", "timings.jsonl"];
                map.retain(|key, _| !timed.contains(&key.as_str()));
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_slice(json).unwrap();
    strip(&mut value);
    value.to_string().into_bytes()
}

fn names(sums: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(sums).unwrap();
    let names = text
        .lines()
        .map(|line| line.split_once("  ").unwrap().1.to_owned());
    names.collect::<Vec<_>>().join("\n").into_bytes()
}

/// The names of the files that differ between two states, or that one of them lacks.
pub fn differing(
    one: &BTreeMap<PathBuf, Vec<u8>>,
    other: &BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = one.keys().chain(other.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| one.get(name) != other.get(name));
    names
}
