//! From a file, an embedded recipe or a text to one tree: `extends` first, `--set` last.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::map::Map;

use super::embedded::EmbeddedRecipe;
use super::error::RecipeError;
use super::model::{self, Resolve, check_tower};
use super::node::{Kind, Node};
use super::origin::{Origin, Source};
use super::paths::resolve_paths;
use crate::component::Component;
use crate::folder::ModelPath;

/// The most recipes that extend one another.
const MAX_DEPTH: usize = 16;

/// Where a recipe comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecipeSource {
    /// A file.
    File(PathBuf),
    /// A recipe linked into the binary.
    Embedded(&'static EmbeddedRecipe),
    /// A TOML text; its paths are relative to the working directory.
    Text(String),
}

impl RecipeSource {
    /// The recipe that a user names: a file if there is one at that path, or else an embedded
    /// recipe's name.
    ///
    /// # Errors
    /// Neither of them.
    pub fn find(argument: &str) -> Result<Self, RecipeError> {
        let path = Path::new(argument);
        if path.is_file() {
            return Ok(Self::File(path.to_owned()));
        }
        if let Some(recipe) = EmbeddedRecipe::find(argument)? {
            return Ok(Self::Embedded(recipe));
        }
        Err(RecipeError::NotFound {
            name: argument.to_owned(),
            allowed: embedded_names()?,
        })
    }

    pub(super) fn text(&self) -> Result<String, RecipeError> {
        match self {
            Self::File(path) => std::fs::read_to_string(path).map_err(|source| RecipeError::Read {
                path: path.clone(),
                source,
            }),
            Self::Embedded(recipe) => Ok(recipe.text.to_owned()),
            Self::Text(text) => Ok(text.clone()),
        }
    }

    pub(super) fn source(&self) -> Source {
        match self {
            Self::File(path) => Source::File(path.clone()),
            Self::Embedded(recipe) => Source::Embedded(recipe.name.to_owned()),
            Self::Text(_) => Source::Text,
        }
    }

    /// What its paths are relative to.
    pub(super) fn folder(&self) -> PathBuf {
        match self {
            Self::File(path) => path.parent().unwrap_or(Path::new("")).to_owned(),
            Self::Embedded(_) | Self::Text(_) => PathBuf::new(),
        }
    }

    /// The same for one recipe however it is spelled.
    fn identity(&self) -> String {
        match self {
            Self::File(path) => {
                let path = path.canonicalize().unwrap_or_else(|_| path.clone());
                path.display().to_string()
            }
            Self::Embedded(recipe) => format!("<embedded {}>", recipe.name),
            Self::Text(_) => "<recipe>".to_owned(),
        }
    }

    /// The recipe that `extends = "name"` means here.
    pub(super) fn base(&self, name: &str, origin: &Origin) -> Result<Self, RecipeError> {
        let path = self.folder().join(name);
        if !matches!(self, Self::Embedded(_)) && path.is_file() {
            return Ok(Self::File(path));
        }
        // Recipes that lie side by side extend each other as files, `llava-7b.toml`, and do so
        // inside a binary too.
        let stem = name.strip_suffix(".toml").unwrap_or(name);
        match EmbeddedRecipe::find(stem)? {
            Some(recipe) => Ok(Self::Embedded(recipe)),
            None => Err(RecipeError::UnknownBase {
                origin: origin.clone(),
                name: name.to_owned(),
                path,
                allowed: embedded_names()?,
            }),
        }
    }
}

fn embedded_names() -> Result<Vec<String>, RecipeError> {
    let all = EmbeddedRecipe::list()?;
    Ok(all.iter().map(|recipe| recipe.name.to_owned()).collect())
}

/// The whole recipe as one tree.
pub(super) fn load(source: &RecipeSource, options: &LoadOptions<'_>) -> Result<Node, RecipeError> {
    let mut root = load_layers(source, &mut Vec::new(), options.resolve)?;
    if let Some(init) = &options.init {
        model::init(init, &mut root)?;
    }
    set(root, options.sets, options.resolve)
}

/// How a recipe is loaded.
#[derive(Clone)]
pub struct LoadOptions<'a> {
    /// Changes that come after everything that files state, each `key.path = value`.
    pub sets: &'a [String],
    /// Finds a `model` that is no folder here.
    pub resolve: &'a Resolve<'a>,
    /// The components of another model to start from, in place of what the recipe states. How the
    /// recipe uses them (conversations, images, answers) stays.
    pub init: Option<ModelPath>,
}

impl Default for LoadOptions<'_> {
    /// Nothing is changed, and a `model` is a folder.
    fn default() -> Self {
        Self {
            sets: &[],
            resolve: &|text| Err(format!("there is no folder `{text}`")),
            init: None,
        }
    }
}

/// Applies `--set`s to a tree.
pub(super) fn set(
    mut root: Node,
    sets: &[String],
    resolve: &Resolve<'_>,
) -> Result<Node, RecipeError> {
    for expression in sets {
        let mut layer = parse_set(expression)?;
        resolve_paths(&mut layer, Path::new(""));
        put(&mut root, layer, resolve)?;
    }
    check_tower(&mut root)?;
    Ok(root)
}

/// Overlays a layer, and under it the model that it takes: its components take the place of those
/// that were there, whole.
pub(super) fn put(
    root: &mut Node,
    mut layer: Node,
    resolve: &Resolve<'_>,
) -> Result<(), RecipeError> {
    if let Some(model) = model::take(&mut layer, resolve)? {
        if let Some(root) = root.table_mut() {
            for component in Component::ALL {
                root.remove(component.name());
            }
        }
        overlay(root, model);
    }
    overlay(root, layer);
    Ok(())
}

pub(super) fn load_layers(
    source: &RecipeSource,
    chain: &mut Vec<String>,
    resolve: &Resolve<'_>,
) -> Result<Node, RecipeError> {
    chain.push(source.identity());
    let mut layer = Node::parse(&source.text()?, &Arc::new(source.source()))?;
    resolve_paths(&mut layer, &source.folder());
    let extends = layer.table_mut().and_then(|table| table.remove("extends"));
    let Some(extends) = extends else {
        let mut root = Node::empty(layer.origin.clone());
        put(&mut root, layer, resolve)?;
        return Ok(root);
    };
    let origin = &extends.origin;
    let Some(name) = extends.text() else {
        return Err(RecipeError::Invalid {
            origin: origin.clone(),
            key: "extends".to_owned(),
            message: "expected a recipe's path or name in quotes".to_owned(),
        });
    };
    let base = source.base(name, origin)?;
    let identity = base.identity();
    if chain.contains(&identity) {
        chain.push(identity);
        return Err(RecipeError::Cycle {
            origin: origin.clone(),
            chain: chain.clone(),
        });
    }
    if chain.len() == MAX_DEPTH {
        return Err(RecipeError::TooDeep {
            origin: origin.clone(),
            chain: chain.clone(),
            limit: MAX_DEPTH,
        });
    }
    let mut root = load_layers(&base, chain, resolve)?;
    put(&mut root, layer, resolve)?;
    Ok(root)
}

/// Overlays a layer. `steps` stated over `epochs` takes its place, and the other way round; so do
/// `conversations` and `mix` of a stage's data.
fn overlay(root: &mut Node, layer: Node) {
    let stages = |node: &Node| node.table()?.get("stage")?.table().cloned();
    for (name, over) in stages(&layer).unwrap_or_default() {
        let stage = root.table_mut().and_then(|root| root.get_mut("stage"));
        let stage = stage.and_then(|stages| stages.table_mut()?.get_mut(&name));
        let (Some(base), Some(over)) = (stage.and_then(Node::table_mut), over.table()) else {
            continue;
        };
        replace_either(base, over, ["steps", "epochs"]);
        let data = base.get_mut("data").and_then(Node::table_mut);
        if let (Some(base), Some(over)) = (data, over.get("data").and_then(Node::table)) {
            replace_either(base, over, ["conversations", "mix"]);
        }
    }
    root.overlay(layer);
}

/// Takes one of two keys out of `base` where `over` states the other.
fn replace_either(base: &mut Map<String, Node>, over: &Map<String, Node>, [one, other]: [&str; 2]) {
    for (stated, replaced) in [(one, other), (other, one)] {
        if over.contains_key(stated) {
            base.remove(replaced);
        }
    }
}

/// Reads `a.b.c = value`. A value that is no TOML and looks like a bare word is a string.
fn parse_set(expression: &str) -> Result<Node, RecipeError> {
    let failure = |message: String| RecipeError::Set {
        expression: expression.to_owned(),
        message,
    };
    let source = Arc::new(Source::Set(expression.to_owned()));
    let (key, value) = expression
        .split_once('=')
        .ok_or_else(|| failure("there is no `=`".to_owned()))?;
    let value = value.trim();
    let bare = !value.is_empty() && !value.starts_with(['"', '\'', '[', '{']);
    let parsed = Node::parse(expression, &source).or_else(|error| {
        let quoted = toml::Value::String(value.to_owned());
        let retry = bare.then(|| Node::parse(&format!("{key} = {quoted}"), &source).ok());
        retry.flatten().ok_or(error)
    });
    let layer = parsed.map_err(|error| match error {
        RecipeError::Syntax { message, .. } => failure(message),
        other => other,
    })?;
    if layer
        .table()
        .is_some_and(|table| table.contains_key("extends"))
    {
        return Err(failure("`extends` belongs in a file".to_owned()));
    }
    Ok(at_one_place(layer, &Origin::new(&source, expression, 0)))
}

fn at_one_place(node: Node, origin: &Origin) -> Node {
    let kind = match node.kind {
        Kind::Table(table) => {
            let entries = table.into_iter();
            Kind::Table(
                entries
                    .map(|(key, node)| (key, at_one_place(node, origin)))
                    .collect(),
            )
        }
        other => other,
    };
    Node {
        kind,
        origin: origin.clone(),
    }
}
