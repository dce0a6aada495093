//! Paths in a recipe are relative to the file that states them.

use std::path::Path;

use super::node::{Kind, Node};

/// Keys whose values are paths.
const PATHS: [&[&str]; 7] = [
    &["llm", "tokenizer"],
    &["stage", "*", "data", "conversations"],
    &["stage", "*", "data", "images"],
    &["stage", "*", "data", "mix", "*", "conversations"],
    &["stage", "*", "data", "mix", "*", "images"],
    &["eval", "data", "conversations"],
    &["eval", "data", "images"],
];

/// Keys whose values are paths or hub ids.
const WEIGHTS: [&[&str]; 7] = [
    &["model"],
    &["model", "path"],
    &["model", "base"],
    &["*", "weights"],
    &["*", "adapter"],
    &["*", "base"],
    &["vision", "parts", "*", "weights"],
];

/// Makes the paths that `layer` states absolute; they are relative to `folder`, which is relative
/// to the working directory.
///
/// Weights that name nothing on disk and do not begin with `./` or `../` stay as they are: hub ids.
pub(super) fn resolve_paths(layer: &mut Node, folder: &Path) {
    for path in PATHS {
        visit(layer, path, &mut |text| absolute(folder, text));
    }
    for path in WEIGHTS {
        visit(layer, path, &mut |text| {
            let is_path = text.starts_with("./") || text.starts_with("../");
            let path = absolute(folder, text)?;
            (is_path || Path::new(&path).exists()).then_some(path)
        });
    }
}

fn absolute(folder: &Path, text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let path = std::path::absolute(folder.join(text)).ok()?;
    let mut plain = std::path::PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain.into_os_string().into_string().ok()
}

fn visit(node: &mut Node, path: &[&str], change: &mut impl FnMut(&str) -> Option<String>) {
    match (path, &mut node.kind) {
        ([], Kind::Scalar(toml::Value::String(text))) => {
            if let Some(changed) = change(text) {
                *text = changed;
            }
        }
        ([], Kind::Array(items)) => {
            for item in items {
                visit(item, path, change);
            }
        }
        (["*", rest @ ..], Kind::Table(table)) => {
            for (_, child) in table.iter_mut() {
                visit(child, rest, change);
            }
        }
        (["*", rest @ ..], Kind::Array(items)) => {
            for item in items {
                visit(item, rest, change);
            }
        }
        ([key, rest @ ..], Kind::Table(table)) => {
            if let Some(child) = table.get_mut(*key) {
                visit(child, rest, change);
            }
        }
        _ => {}
    }
}
