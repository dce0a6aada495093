//! From a sweep file to its points: each a recipe that is whole.

use std::collections::HashMap;
use std::path::Path;

use toml::Value;

use super::axis::Varied;
use super::combine::{Combination, combine};
use super::file::{SweepFile, invalid};
use super::{Axis, Sweep, SweepPoint};
use crate::recipe::Recipe;
use crate::recipe::error::RecipeError;
use crate::recipe::load::{self, LoadOptions, RecipeSource};
use crate::recipe::node::{Kind, Node};
use crate::recipe::paths::resolve_paths;

/// The longest name of a point, in characters.
const MAX_NAME: usize = 100;

pub(super) fn sweep(
    file: &SweepFile,
    path: &Path,
    options: &LoadOptions<'_>,
) -> Result<Sweep, RecipeError> {
    let source = RecipeSource::File(path.to_owned());
    let base_name = &file.head.base;
    let base = source.base(base_name, &file.base_origin)?;
    let mut root = load::load_layers(&base, &mut Vec::new(), options.resolve)?;
    if let Some(layer) = &file.recipe {
        put(&mut root, layer, &source, options)?;
    }
    let (axes, combinations) = combine(file, &root)?;
    check_budget(file, combinations.len())?;
    let name = file.head.name.clone().unwrap_or_else(|| {
        let stem = path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    });
    let builder = Builder {
        root: &root,
        source: &source,
        axes: &axes,
        options,
    };
    let points = builder.points(&combinations)?;
    Ok(Sweep {
        base: Recipe::from_node(load::set(root.clone(), options.sets, options.resolve)?)?,
        name,
        description: file.head.description.clone(),
        base_name: base_name.clone(),
        points,
        budget: file.head.budget,
        axes: axes
            .iter()
            .map(|axis| Axis {
                name: axis.name.clone(),
                short: axis.short(&axes),
                alternatives: labels(axis).collect(),
            })
            .collect(),
    })
}

fn labels(axis: &Varied) -> impl Iterator<Item = String> {
    let alternatives = axis.alternatives.iter();
    alternatives.map(|alternative| alternative.label.clone())
}

fn check_budget(file: &SweepFile, points: usize) -> Result<(), RecipeError> {
    match file.head.budget.runs {
        Some(runs) if runs < points => {
            let message =
                format!("allows {runs} runs, and the sweep has {points}; vary less or allow more");
            Err(invalid(&file.budget_origin, "budget.runs", message))
        }
        _ => Ok(()),
    }
}

/// Puts a layer of the sweep file over a tree.
fn put(
    root: &mut Node,
    layer: &Node,
    source: &RecipeSource,
    options: &LoadOptions<'_>,
) -> Result<(), RecipeError> {
    let mut layer = layer.clone();
    if let Some(node) = layer.table().and_then(|table| table.get("extends")) {
        let message = "belongs in a recipe's file; a sweep names it as `base`".to_owned();
        return Err(invalid(&node.origin, "extends", message));
    }
    resolve_paths(&mut layer, &source.folder());
    load::put(root, layer, options.resolve)
}

struct Builder<'b> {
    root: &'b Node,
    source: &'b RecipeSource,
    axes: &'b [Varied],
    options: &'b LoadOptions<'b>,
}

impl Builder<'_> {
    fn points(&self, combinations: &[Combination]) -> Result<Vec<SweepPoint>, RecipeError> {
        let mut points: Vec<SweepPoint> = Vec::with_capacity(combinations.len());
        let mut names: HashMap<String, usize> = HashMap::new();
        let mut said: HashMap<String, usize> = HashMap::new();
        for combination in combinations {
            let mut name = self.name(combination);
            let same = names.entry(name.clone()).or_insert(0);
            *same += 1;
            if *same > 1 {
                name = format!("{name},{same}");
            }
            let recipe = self.recipe(combination, &name);
            let recipe = recipe.map_err(|error| in_point(&name, error))?;
            let nameless = Recipe {
                name: String::new(),
                ..recipe.clone()
            };
            let text = serde_json::to_string(&nameless).expect("a recipe has JSON");
            if let Some(other) = said.insert(text, points.len()) {
                return Err(RecipeError::SamePoints {
                    origin: self.root.origin.clone(),
                    a: points[other].name.clone(),
                    b: name,
                });
            }
            let choices = self.axes.iter().zip(combination);
            points.push(SweepPoint {
                choices: choices
                    .map(|(axis, choice)| Some(axis.alternatives[(*choice)?].label.clone()))
                    .collect(),
                name,
                recipe,
            });
        }
        Ok(points)
    }

    fn recipe(&self, combination: &Combination, name: &str) -> Result<Recipe, RecipeError> {
        let mut root = self.root.clone();
        let chosen = self.axes.iter().zip(combination);
        let mut chosen: Vec<_> = chosen
            .filter_map(|(axis, choice)| Some((axis.kind, &axis.alternatives[(*choice)?])))
            .collect();
        chosen.sort_by_key(|(kind, _)| *kind);
        for (_, alternative) in chosen {
            if let (Some(component), Some(root)) = (alternative.replaces, root.table_mut()) {
                root.remove(component.name());
            }
            put(&mut root, &alternative.layer, self.source, self.options)?;
        }
        let mut root = load::set(root, self.options.sets, self.options.resolve)?;
        let origin = root.origin.clone();
        if let Some(table) = root.table_mut() {
            let kind = Kind::Scalar(Value::String(name.to_owned()));
            table.insert("name".to_owned(), Node { kind, origin });
            // It is the base's.
            table.remove("description");
        }
        Recipe::from_node(root)
    }

    /// What is chosen, in characters that a folder's name may have.
    fn name(&self, combination: &Combination) -> String {
        let parts = self.axes.iter().zip(combination).filter_map(|(axis, one)| {
            let label = &axis.alternatives[(*one)?].label;
            Some(match axis.short(self.axes) {
                Some(key) => format!("{key}={label}"),
                None => label.clone(),
            })
        });
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() {
            return "base".to_owned();
        }
        let mut name = parts.join(",");
        name.retain(|c| !"[]{}\"' ".contains(c));
        let plain = |c: char| {
            let fits = c.is_ascii_alphanumeric() || "._-+=,".contains(c);
            if fits { c } else { '-' }
        };
        let name: String = name.chars().map(plain).take(MAX_NAME).collect();
        name.trim_start_matches('.').to_owned()
    }
}

/// An error that shows only in one of the points.
fn in_point(point: &str, error: RecipeError) -> RecipeError {
    RecipeError::Point {
        point: point.to_owned(),
        error: Box::new(error),
    }
}
