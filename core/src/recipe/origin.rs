//! Where a recipe's value was stated.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::path::PathBuf;
use std::sync::Arc;

use super::node::{Kind, Node};

/// A text that states values of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A recipe linked into the binary, by its name.
    Embedded(String),
    /// A text that was passed in.
    Text,
    /// One `--set`.
    Set(String),
}

/// A place in a [`Source`]. Shown as `path:line:column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    source: Arc<Source>,
    line: usize,
    column: usize,
}

impl Origin {
    pub(super) fn new(source: &Arc<Source>, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            source: Arc::clone(source),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The text.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether it is what a model's folder states.
    pub(crate) fn is_folder(&self) -> bool {
        let is_config = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json");
        matches!(self.source(), Source::File(path) if is_config(path))
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match &*self.source {
            Source::File(path) => write!(f, "{}", path.display())?,
            Source::Embedded(name) => write!(f, "<embedded {name}>")?,
            Source::Text => f.write_str("<recipe>")?,
            Source::Set(expression) => return write!(f, "--set '{expression}'"),
        }
        write!(f, ":{}:{}", self.line, self.column)
    }
}

/// The origin of every value of a recipe, by its key path (`stage.align.freeze.0`).
#[derive(Debug, Clone)]
pub(super) struct Origins {
    root: Origin,
    places: BTreeMap<String, Origin>,
}

impl Origins {
    pub(super) fn of(root: &Node) -> Self {
        let mut places = BTreeMap::new();
        collect(root, "", &mut places);
        Self {
            root: root.origin.clone(),
            places,
        }
    }

    /// Whether anybody stated the value at `path`.
    pub(super) fn state(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// Where the value at `path` was stated, or else the nearest table around it.
    pub(super) fn at(&self, path: &str) -> Origin {
        let mut path = path;
        loop {
            if let Some(origin) = self.places.get(path) {
                return origin.clone();
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => return self.root.clone(),
            }
        }
    }
}

/// Two recipes that say the same are equal, wherever they say it.
impl PartialEq for Origins {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Default for Origins {
    fn default() -> Self {
        Self {
            root: Origin::new(&Arc::new(Source::Text), "", 0),
            places: BTreeMap::new(),
        }
    }
}

fn collect(node: &Node, path: &str, places: &mut BTreeMap<String, Origin>) {
    let mut enter = |name: &str, child: &Node| {
        let path = join(path, name);
        collect(child, &path, places);
        places.insert(path, child.origin.clone());
    };
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                enter(&index.to_string(), item);
            }
        }
        Kind::Table(table) => {
            for (key, child) in table {
                enter(key, child);
            }
        }
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
