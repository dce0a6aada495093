//! From what an axis names to layers over the base.

use toml::map::Map;

use super::file::{SweepFile, invalid};
use crate::component::Component;
use crate::plugin::{self, PluginInfo};
use crate::recipe::error::RecipeError;
use crate::recipe::node::{Kind, Node};
use crate::recipe::origin::Origin;

/// What is varied, with a layer for each alternative.
#[derive(Debug)]
pub(super) struct Varied {
    pub name: String,
    pub kind: AxisKind,
    pub alternatives: Vec<Alternative>,
}

/// What an axis' name means. Layers are put over the base in this order, so that a key changes what a
/// component's alternative brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AxisKind {
    /// A component's table.
    Component(Component),
    /// A name of `[alternatives]`, whose tables are differences to the whole recipe.
    Named,
    /// A key of the recipe, with so many parts.
    Key(usize),
}

/// One alternative of an axis.
#[derive(Debug)]
pub(super) struct Alternative {
    pub label: String,
    /// What it states, as a recipe does.
    pub layer: Node,
    /// The component whose table in the base is taken away before.
    pub replaces: Option<Component>,
}

impl Varied {
    /// The axis `name`, without alternatives.
    pub(super) fn new(file: &SweepFile, name: &str, origin: &Origin) -> Result<Self, RecipeError> {
        let mut components = Component::ALL.into_iter();
        let kind = if let Some(component) = components.find(|one| one.name() == name) {
            AxisKind::Component(component)
        } else if file.alternatives.contains_key(name) {
            AxisKind::Named
        } else {
            check_key(name, origin)?;
            AxisKind::Key(name.split('.').count())
        };
        Ok(Self {
            name: name.to_owned(),
            kind,
            alternatives: Vec::new(),
        })
    }

    /// How an alternative that stands in a file is named.
    pub(super) fn label(&self, value: &Node) -> Result<String, RecipeError> {
        match (self.kind, value.text()) {
            (_, Some(text)) => Ok(text.to_owned()),
            (AxisKind::Key(_), None) => Ok(value.clone().into_value().to_string()),
            (AxisKind::Component(_) | AxisKind::Named, None) => {
                let name = &self.name;
                let message = format!(
                    "expected a name in quotes; a table is stated as [alternatives.{name}.NAME]"
                );
                Err(invalid(&value.origin, &format!("axes.{name}"), message))
            }
        }
    }

    /// The number of the alternative `value`, which is added if it is new.
    pub(super) fn number(
        &mut self,
        file: &SweepFile,
        base: &Node,
        value: &Node,
    ) -> Result<usize, RecipeError> {
        let label = self.label(value)?;
        if let Some(known) = self.find(&label) {
            return Ok(known);
        }
        let tables = file.alternatives.get(&self.name).and_then(Node::table);
        let table = tables.and_then(|tables| tables.get(&label));
        let (layer, replaces) = match (self.kind, table) {
            (AxisKind::Component(component), Some(table)) => {
                let is_whole = table
                    .table()
                    .is_some_and(|table| table.contains_key("type"));
                (
                    under(component.name(), table),
                    is_whole.then_some(component),
                )
            }
            (AxisKind::Component(component), None) => {
                let names = tables.into_iter().flat_map(Map::keys);
                shorthand(component, base, value, &label, names)?
            }
            (AxisKind::Named, Some(table)) => (table.clone(), None),
            (AxisKind::Named, None) => {
                let names = tables.into_iter().flat_map(Map::keys).cloned();
                return Err(self.unknown(&value.origin, &label, names.collect()));
            }
            (AxisKind::Key(_), _) => (under(&self.name, value), None),
        };
        self.alternatives.push(Alternative {
            label,
            layer,
            replaces,
        });
        Ok(self.alternatives.len() - 1)
    }

    /// The number of the alternative of that name, if there is one.
    pub(super) fn find(&self, label: &str) -> Option<usize> {
        let mut alternatives = self.alternatives.iter();
        alternatives.position(|alternative| alternative.label == label)
    }

    /// The error of an alternative that the axis has not.
    pub(super) fn unknown(
        &self,
        origin: &Origin,
        label: &str,
        allowed: Vec<String>,
    ) -> RecipeError {
        RecipeError::UnknownValue {
            origin: origin.clone(),
            key: self.name.clone(),
            value: label.to_owned(),
            allowed,
        }
    }

    /// As much of a key's end as tells it from all other axes.
    pub(super) fn short(&self, axes: &[Self]) -> Option<String> {
        let AxisKind::Key(parts) = self.kind else {
            return None;
        };
        let end = |axis: &Self, count: usize| {
            let parts: Vec<&str> = axis.name.split('.').collect();
            parts[parts.len().saturating_sub(count)..].join(".")
        };
        let others = || axes.iter().filter(|other| other.name != self.name);
        let is_own = |count: &usize| others().all(|other| end(other, *count) != end(self, *count));
        let count = (1..=parts).find(is_own).unwrap_or(parts);
        Some(end(self, count))
    }
}

/// Keys of a recipe's own table that can be varied; `name` and `description` are the point's.
pub(super) const RECIPE_KEYS: [&str; 12] = [
    "model",
    "seed",
    "dtype",
    "max_tokens",
    "stages",
    "cache_features",
    "vision",
    "projector",
    "llm",
    "stage",
    "eval",
    "checkpoint",
];

fn check_key(name: &str, origin: &Origin) -> Result<(), RecipeError> {
    let first = name.split('.').next().unwrap_or_default();
    if RECIPE_KEYS.contains(&first) && !name.split('.').any(str::is_empty) {
        return Ok(());
    }
    let message = format!(
        "is no component and no key of a recipe, which begins with one of: {}; for an axis of your own \
         state what its alternatives are: [alternatives.{name}.NAME]",
        RECIPE_KEYS.join(", ")
    );
    Err(invalid(origin, &format!("axes.{name}"), message))
}

/// A plugin's name, a preset's, or both as `PLUGIN/PRESET`. What the base has already changes nothing.
fn shorthand<'n>(
    component: Component,
    base: &Node,
    value: &Node,
    label: &str,
    named: impl Iterator<Item = &'n String>,
) -> Result<(Node, Option<Component>), RecipeError> {
    let origin = &value.origin;
    let build = |error| RecipeError::Build {
        origin: origin.clone(),
        error,
    };
    let plugins: Vec<&PluginInfo> = plugin::list()
        .map_err(build)?
        .into_iter()
        .filter(|info| info.component == component)
        .collect();
    let presets = plugins.iter().flat_map(|info| {
        info.presets()
            .into_iter()
            .map(|(preset, _)| (info.name, preset))
    });
    let presets: Vec<(&str, &str)> = presets.collect();
    let chosen: Vec<(&str, Option<&str>)> = if plugins.iter().any(|info| info.name == label) {
        vec![(label, None)]
    } else {
        let is_meant = |(plugin, preset): &&(&str, &str)| {
            *preset == label || label.split_once('/') == Some((plugin, preset))
        };
        let meant = presets.iter().filter(is_meant);
        meant
            .map(|(plugin, preset)| (*plugin, Some(*preset)))
            .collect()
    };
    let (plugin, preset) = match chosen.as_slice() {
        [one] => *one,
        [] => {
            let all = plugins.iter().map(|info| info.name.to_owned());
            let all = all.chain(
                presets
                    .iter()
                    .map(|(plugin, preset)| format!("{plugin}/{preset}")),
            );
            return Err(RecipeError::UnknownValue {
                origin: origin.clone(),
                key: format!("axes.{component}"),
                value: label.to_owned(),
                allowed: named.cloned().chain(all).collect(),
            });
        }
        several => {
            let several = several
                .iter()
                .map(|(plugin, preset)| format!("\"{plugin}/{}\"", preset.unwrap_or_default()));
            let several: Vec<String> = several.collect();
            let message = format!("`{label}` may be {}; write which", several.join(" or "));
            return Err(invalid(origin, &format!("axes.{component}"), message));
        }
    };
    let mut table = Map::new();
    let mut stated = |key: &str, text: &str| {
        let kind = Kind::Scalar(toml::Value::String(text.to_owned()));
        let node = Node {
            kind,
            origin: origin.clone(),
        };
        table.insert(key.to_owned(), node);
    };
    stated("type", plugin);
    if let Some(preset) = preset {
        stated("preset", preset);
    }
    let base = base.table().and_then(|root| root.get(component.name()));
    let base = |key: &str| base.and_then(Node::table)?.get(key)?.text();
    let is_base = base("type") == Some(plugin) && (preset.is_none() || base("preset") == preset);
    let table = Node {
        kind: Kind::Table(table),
        origin: origin.clone(),
    };
    Ok((
        under(component.name(), &table),
        (!is_base).then_some(component),
    ))
}

/// `value` as the only one of a recipe, at a dotted key.
fn under(key: &str, value: &Node) -> Node {
    key.rsplit('.').fold(value.clone(), |inner, part| {
        let origin = inner.origin.clone();
        let mut table = Map::new();
        table.insert(part.to_owned(), inner);
        Node {
            kind: Kind::Table(table),
            origin,
        }
    })
}
