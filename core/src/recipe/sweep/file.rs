//! The keys of a sweep file.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml::map::Map;

use super::Budget;
use crate::recipe::error::RecipeError;
use crate::recipe::load::RecipeSource;
use crate::recipe::node::{Kind, Node};
use crate::recipe::origin::Origin;

/// How errors name the file's own table.
pub(in crate::recipe) const THE_SWEEP: &str = "the sweep";

/// All keys of a sweep file.
const KEYS: [&str; 9] = [
    "name",
    "description",
    "base",
    "budget",
    "recipe",
    "axes",
    "alternatives",
    "points",
    "exclude",
];

/// A sweep file as it stands.
#[derive(Debug)]
pub(super) struct SweepFile {
    /// The file's beginning.
    pub origin: Origin,
    pub head: Head,
    pub base_origin: Origin,
    pub budget_origin: Origin,
    /// What all points state over the base.
    pub recipe: Option<Node>,
    /// In the file's order.
    pub axes: Vec<(String, Vec<Node>)>,
    /// Tables by axis and name.
    pub alternatives: Map<String, Node>,
    pub points: Vec<Node>,
    pub exclude: Vec<Node>,
}

/// What is a plain value of it.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    pub base: String,
    #[serde(default)]
    pub budget: Budget,
}

pub(super) fn read(path: &Path) -> Result<SweepFile, RecipeError> {
    let source = RecipeSource::File(path.to_owned());
    let mut root = Node::parse(&source.text()?, &Arc::new(source.source()))?;
    let origin = root.origin.clone();
    let Some(table) = root.table_mut() else {
        unreachable!("a TOML file is a table");
    };
    if let Some((key, node)) = table.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
        return Err(RecipeError::UnknownKey {
            origin: node.origin.clone(),
            table: THE_SWEEP.to_owned(),
            key: key.clone(),
            allowed: KEYS.map(str::to_owned).to_vec(),
        });
    }
    let place = |table: &Map<String, Node>, key: &str| {
        let node = table.get(key);
        node.map_or_else(|| origin.clone(), |node| node.origin.clone())
    };
    let (base_origin, budget_origin) = (place(table, "base"), place(table, "budget"));
    let axes = table.remove("axes");
    let alternatives = table.remove("alternatives");
    let points = table.remove("points");
    let exclude = table.remove("exclude");
    let recipe = table.remove("recipe");
    let head = Head::deserialize(root).map_err(|failure| match failure.into_error(&origin) {
        RecipeError::MissingKey {
            origin, table, key, ..
        } if table.is_empty() => RecipeError::MissingKey {
            origin,
            table: THE_SWEEP.to_owned(),
            key,
        },
        error => error,
    })?;
    let file = SweepFile {
        head,
        base_origin,
        budget_origin,
        recipe: recipe.map(|node| a_table("recipe", node)).transpose()?,
        axes: read_axes(axes)?,
        alternatives: read_alternatives(alternatives)?,
        points: tables("points", points)?,
        exclude: tables("exclude", exclude)?,
        origin,
    };
    file.check()?;
    Ok(file)
}

impl SweepFile {
    fn check(&self) -> Result<(), RecipeError> {
        if self.axes.is_empty() && self.points.is_empty() {
            let message =
                "a sweep must vary something: state alternatives in [axes], or `points`".to_owned();
            return Err(invalid(&self.origin, "axes", message));
        }
        if self.head.name.as_ref().is_some_and(|name| !is_plain(name)) {
            let message =
                "it names a folder, and consists of a-z, A-Z, 0-9, `.`, `_` and `-`".to_owned();
            return Err(invalid(&self.origin, "name", message));
        }
        let budget = self.head.budget;
        if budget
            .hours
            .is_some_and(|hours| hours <= 0.0 || hours.is_nan())
        {
            let message = "must be above 0".to_owned();
            return Err(invalid(&self.budget_origin, "budget.hours", message));
        }
        let axes = |name: &str| {
            let listed = self.points.iter().filter_map(Node::table);
            self.axes.iter().any(|(axis, _)| axis == name)
                || listed.into_iter().any(|point| point.contains_key(name))
        };
        match self.alternatives.iter().find(|(name, _)| !axes(name)) {
            None => Ok(()),
            Some((name, node)) => Err(RecipeError::UnknownKey {
                origin: node.origin.clone(),
                table: "alternatives".to_owned(),
                key: name.clone(),
                allowed: self.axes.iter().map(|(axis, _)| axis.clone()).collect(),
            }),
        }
    }
}

/// Whether it is a folder's name on every system.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

fn read_axes(node: Option<Node>) -> Result<Vec<(String, Vec<Node>)>, RecipeError> {
    let Some(node) = node else {
        return Ok(Vec::new());
    };
    let Kind::Table(table) = a_table("axes", node)?.kind else {
        unreachable!("it was looked at");
    };
    let axes = table.into_iter().map(|(name, node)| {
        let key = format!("axes.{name}");
        let message = match node.kind {
            Kind::Array(items) if !items.is_empty() => return Ok((name, items)),
            Kind::Array(_) => "names no alternative; leave the axis out".to_owned(),
            Kind::Table(_) => format!(
                "expected an array of alternatives; write a key of the recipe in quotes: \"{name}.KEY\" = […]"
            ),
            Kind::Scalar(_) => {
                "expected an array of alternatives; what all points state belongs into [recipe]"
                    .to_owned()
            }
        };
        Err(invalid(&node.origin, &key, message))
    });
    axes.collect()
}

fn read_alternatives(node: Option<Node>) -> Result<Map<String, Node>, RecipeError> {
    let Some(node) = node else {
        return Ok(Map::new());
    };
    let Kind::Table(axes) = a_table("alternatives", node)?.kind else {
        unreachable!("it was looked at");
    };
    for (axis, named) in &axes {
        let key = format!("alternatives.{axis}");
        let Some(named) = named.table() else {
            let message = "expected a table for each alternative".to_owned();
            return Err(invalid(&named.origin, &key, message));
        };
        for (name, table) in named {
            if table.table().is_none() {
                let message = format!(
                    "expected a table of what the alternative states: [alternatives.{axis}.{name}]"
                );
                return Err(invalid(&table.origin, &format!("{key}.{name}"), message));
            }
        }
    }
    Ok(axes)
}

fn tables(key: &str, node: Option<Node>) -> Result<Vec<Node>, RecipeError> {
    let Some(node) = node else {
        return Ok(Vec::new());
    };
    let Kind::Array(items) = node.kind else {
        let message = "expected an array of tables, each AXIS = ALTERNATIVE".to_owned();
        return Err(invalid(&node.origin, key, message));
    };
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| a_table(&format!("{key}.{index}"), item))
        .collect()
}

fn a_table(key: &str, node: Node) -> Result<Node, RecipeError> {
    if node.table().is_some() {
        return Ok(node);
    }
    Err(invalid(&node.origin, key, "expected a table".to_owned()))
}

pub(super) fn invalid(origin: &Origin, key: &str, message: String) -> RecipeError {
    RecipeError::Invalid {
        origin: origin.clone(),
        key: key.to_owned(),
        message,
    }
}
