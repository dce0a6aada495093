//! `model = "DIR"`: a whole model's folder supplies the three components.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::error::RecipeError;
use super::node::{Kind, Node};
use super::origin::{Origin, Source};
use crate::component::Component;
use crate::folder::{FolderError, ModelPath};
use crate::plugin;

/// Finds a `model` that is no folder here: where it lies, or nothing to leave it out, or why not.
pub type Resolve<'a> = dyn Fn(&str) -> Result<Option<PathBuf>, String> + 'a;

/// `model` as a table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelTable {
    path: String,
    #[serde(default)]
    base: Option<String>,
    #[serde(default)]
    delta: bool,
}

/// Takes `model` out of a layer: the layer that its folder states, to lie under it.
pub(super) fn take(layer: &mut Node, resolve: &Resolve<'_>) -> Result<Option<Node>, RecipeError> {
    let taken = layer.table_mut().and_then(|table| table.remove("model"));
    let Some(node) = taken else {
        return Ok(None);
    };
    let origin = node.origin.clone();
    let table = match node.text() {
        Some(path) => ModelTable {
            path: path.to_owned(),
            base: None,
            delta: false,
        },
        None => ModelTable::deserialize(node)
            .map_err(|failure| failure.under("model".to_owned()).into_error(&origin))?,
    };
    let find = |key: &str, text: &str| {
        resolve(text).map_err(|message| RecipeError::Invalid {
            origin: origin.clone(),
            key: key.to_owned(),
            message,
        })
    };
    let path = if Path::new(&table.path).exists() {
        PathBuf::from(&table.path)
    } else {
        match find("model", &table.path)? {
            Some(path) => path,
            None => return Ok(None),
        }
    };
    let mut model = ModelPath {
        path,
        base: table.base,
        delta: table.delta,
    };
    if let Some(id) = model.missing_base() {
        match find("model.base", &id)? {
            Some(base) => model.base = Some(base.display().to_string()),
            None => return Ok(None),
        }
    }
    let under = under(&model).map_err(|error| RecipeError::Model { origin, error })?;
    Ok(Some(under))
}

/// The layer that a model's folder states.
pub(super) fn under(model: &ModelPath) -> Result<Node, FolderError> {
    let stated = model.recipe()?;
    let source = Arc::new(Source::File(stated.file));
    let place = Origin::new(&source, "", 0);
    let mut node = of_value(toml::Value::Table(stated.table), &place);
    // What the folder does not say must come from the recipe; `check_tower` looks for it.
    if let (Some(tower), Some(root)) = (stated.unknown_tower, node.table_mut()) {
        let marker = toml::Value::String(tower);
        root.insert(UNKNOWN_TOWER.to_owned(), of_value(marker, &place));
    }
    Ok(node)
}

/// Puts the components of a model that a recipe starts from in place of the recipe's own. What the
/// recipe states of how they are used stays: conversations, images, answers, and what of an encoder
/// is read.
pub(super) fn init(model: &ModelPath, root: &mut Node) -> Result<(), RecipeError> {
    const USE: [&str; 5] = ["chat", "generation", "resize", "images", "image_wrap"];
    let mut layer = under(model)?;
    let (Some(layer), Some(root)) = (layer.table_mut(), root.table_mut()) else {
        return Ok(());
    };
    for component in Component::ALL {
        let Some(mut new) = layer.remove(component.name()) else {
            continue;
        };
        let old = root.get(component.name()).and_then(Node::table).cloned();
        if let Some(table) = new.table_mut() {
            let name = table.get("type").and_then(Node::text).unwrap_or_default();
            let info = plugin::info(component, name);
            let choices = info.map_or(&[][..], |info| info.choices);
            let stays = |key: &str| USE.contains(&key) || choices.contains(&key);
            let old = old.unwrap_or_default().into_iter();
            table.extend(old.filter(|(key, _)| stays(key)));
        }
        root.insert(component.name().to_owned(), new);
    }
    Ok(())
}

/// Where a layer keeps the name of a tower that nobody knows.
const UNKNOWN_TOWER: &str = "unknown tower";

/// Takes the mark of a tower that the folder could not describe.
///
/// # Errors
/// Nobody else described it.
pub(super) fn check_tower(root: &mut Node) -> Result<(), RecipeError> {
    let table = root.table_mut();
    let Some(mark) = table.and_then(|table| table.remove(UNKNOWN_TOWER)) else {
        return Ok(());
    };
    let vision = root
        .table()
        .and_then(|root| root.get(Component::Vision.name()));
    let is_stated = vision
        .and_then(Node::table)
        .is_some_and(|table| table.contains_key("type"));
    if is_stated {
        return Ok(());
    }
    let path = match mark.origin.source() {
        Source::File(path) => path.clone(),
        _ => PathBuf::new(),
    };
    Err(RecipeError::Model {
        error: FolderError::UnknownTower {
            path,
            tower: mark.text().unwrap_or_default().to_owned(),
        },
        origin: mark.origin,
    })
}

fn of_value(value: toml::Value, origin: &Origin) -> Node {
    let kind = match value {
        toml::Value::Table(table) => Kind::Table(
            table
                .into_iter()
                .map(|(key, value)| (key, of_value(value, origin)))
                .collect(),
        ),
        toml::Value::Array(items) => Kind::Array(
            items
                .into_iter()
                .map(|item| of_value(item, origin))
                .collect(),
        ),
        scalar => Kind::Scalar(scalar),
    };
    Node {
        kind,
        origin: origin.clone(),
    }
}
