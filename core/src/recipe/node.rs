//! A recipe's text as a tree whose every value knows its origin, and how one tree overlays another.

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::map::Map;

use super::error::RecipeError;
use super::origin::{Origin, Source};

/// A value and where it was stated.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The place of its key, or of the value itself inside an array.
    pub(super) origin: Origin,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Neither an array nor a table.
    Scalar(toml::Value),
    Array(Vec<Node>),
    Table(Map<String, Node>),
}

impl Node {
    pub(super) fn parse(text: &str, source: &Arc<Source>) -> Result<Self, RecipeError> {
        let reader = Reader { text, source };
        let table = DeTable::parse(text).map_err(|error| reader.syntax(&error))?;
        reader.table(table.into_inner(), Origin::new(source, text, 0))
    }

    /// A table without entries.
    pub(super) fn empty(origin: Origin) -> Self {
        Self {
            kind: Kind::Table(Map::new()),
            origin,
        }
    }

    pub(super) fn table(&self) -> Option<&Map<String, Self>> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(super) fn table_mut(&mut self) -> Option<&mut Map<String, Self>> {
        match &mut self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(value) => value.as_str(),
            _ => None,
        }
    }

    pub(super) fn into_value(self) -> toml::Value {
        match self.kind {
            Kind::Scalar(value) => value,
            Kind::Array(items) => {
                toml::Value::Array(items.into_iter().map(Self::into_value).collect())
            }
            Kind::Table(table) => {
                let entries = table.into_iter();
                toml::Value::Table(
                    entries
                        .map(|(key, node)| (key, node.into_value()))
                        .collect(),
                )
            }
        }
    }

    /// Tables merge key by key; everything else, and a table whose `type` changes, is replaced.
    pub(super) fn overlay(&mut self, over: Self) {
        let retyped = is_retyped(self, &over);
        match (&mut self.kind, over.kind) {
            (Kind::Table(base), Kind::Table(table)) if !retyped => {
                for (key, node) in table {
                    match base.get_mut(&key) {
                        Some(slot) => slot.overlay(node),
                        None => drop(base.insert(key, node)),
                    }
                }
            }
            (slot, kind) => {
                *slot = kind;
                self.origin = over.origin;
            }
        }
    }
}

fn is_retyped(base: &Node, over: &Node) -> bool {
    let type_of = |node: &Node| Some(node.table()?.get("type")?.text()?.to_owned());
    matches!((type_of(base), type_of(over)), (Some(base), Some(over)) if base != over)
}

struct Reader<'t> {
    text: &'t str,
    source: &'t Arc<Source>,
}

impl Reader<'_> {
    fn table(&self, table: DeTable<'_>, origin: Origin) -> Result<Node, RecipeError> {
        let mut nodes = Map::new();
        for (key, value) in table {
            let origin = Origin::new(self.source, self.text, key.span().start);
            let node = self.value(value, origin)?;
            nodes.insert(key.into_inner().into_owned(), node);
        }
        let kind = Kind::Table(nodes);
        Ok(Node { kind, origin })
    }

    fn value(&self, value: Spanned<DeValue<'_>>, origin: Origin) -> Result<Node, RecipeError> {
        let span = value.span();
        let kind = match value.into_inner() {
            DeValue::Table(table) => return self.table(table, origin),
            DeValue::Array(items) => {
                let items = items.into_iter().map(|item| {
                    let origin = Origin::new(self.source, self.text, item.span().start);
                    self.value(item, origin)
                });
                Kind::Array(items.collect::<Result<_, _>>()?)
            }
            scalar => {
                let scalar = ValueDeserializer::from(Spanned::new(span, scalar));
                let value = toml::Value::deserialize(scalar);
                Kind::Scalar(value.map_err(|error| self.syntax(&error))?)
            }
        };
        Ok(Node { kind, origin })
    }

    fn syntax(&self, error: &toml::de::Error) -> RecipeError {
        let offset = error.span().map_or(0, |span| span.start);
        RecipeError::Syntax {
            origin: Origin::new(self.source, self.text, offset),
            message: error.message().trim().replace('\n', "; "),
        }
    }
}
