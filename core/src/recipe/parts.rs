//! An encoder made of others: the tables of its option `parts`.

use toml::{Table, Value};

use super::configure::ComponentTable;
use super::error::RecipeError;
use super::{Component, Origin, Recipe};
use crate::plugin::{self, AnyEncoderConfig};

/// The option that lists the tables.
const PARTS: &str = "parts";

/// The keys of a part's table that are not its plugin's.
const OWN_KEYS: [&str; 3] = ["type", "preset", "weights"];

/// An encoder that is a part of another.
#[derive(Debug)]
pub(crate) struct ConfiguredPart {
    /// Its options.
    pub(crate) config: Box<dyn AnyEncoderConfig>,
    /// Where it lies in the module: `parts.0`.
    pub(crate) place: String,
    /// Its own weights.
    pub(crate) weights: Option<String>,
    /// Where the recipe states them.
    pub(crate) origin: Origin,
}

impl Recipe {
    /// Fills in each part's options, as its preset and its weights state them. What is no table of a
    /// plugin is left as it is, for the encoder itself to refuse.
    pub(super) fn configure_parts(
        &self,
        options: &mut Table,
    ) -> Result<Vec<ConfiguredPart>, RecipeError> {
        let mut parts = Vec::new();
        for (index, table) in tables(options).enumerate() {
            let place = format!("{PARTS}.{index}");
            let path = format!("{}.{place}", Component::Vision);
            let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
            let Some(name) = text("type") else { continue };
            let (preset, weights) = (text("preset"), text("weights"));
            let own = |key: &str| OWN_KEYS.contains(&key);
            let mut stated = table.clone();
            stated.retain(|key, _| !own(key));

            let at = |error| self.build_error_at(&path, error);
            let entry = plugin::encoder(&name).map_err(at)?;
            let options = ComponentTable {
                recipe: self,
                path: path.clone(),
                own_keys: &OWN_KEYS,
                preset: preset.as_deref(),
                weights: weights.as_deref(),
                stated: &stated,
            };
            let config = entry.configure(options.options(&entry.info)?).map_err(at)?;
            table.retain(|key, _| own(key));
            table.extend(config.options());
            let origin = self.origin(&format!("{path}.weights"));
            if weights.is_some() && self.vision.weights.is_some() {
                return Err(RecipeError::Invalid {
                    origin,
                    key: format!("{path}.weights"),
                    message:
                        "`vision.weights` states the weights of all parts; state one or the other"
                            .to_owned(),
                });
            }
            parts.push(ConfiguredPart {
                config,
                place,
                weights,
                origin,
            });
        }
        Ok(parts)
    }

    /// Where a component's weights come from: its own, or those of an encoder's parts. Nothing if
    /// all or some of them are drawn from the seed.
    #[must_use]
    pub fn weight_sources(&self, component: Component) -> Vec<&str> {
        if let Some(weights) = self.weights(component) {
            return vec![weights];
        }
        let parts = match component {
            Component::Vision => self.vision.options.get(PARTS).and_then(Value::as_array),
            Component::Projector | Component::Llm => None,
        };
        let weights = parts
            .into_iter()
            .flatten()
            .map(|part| part.get("weights")?.as_str());
        weights.collect::<Option<_>>().unwrap_or_default()
    }
}

/// The parts' own weights, with their key paths.
pub(super) fn weight_places(options: &mut Table) -> impl Iterator<Item = (String, &mut String)> {
    let tables = tables(options).enumerate();
    tables.filter_map(|(index, table)| match table.get_mut("weights")? {
        Value::String(text) => {
            let path = format!("{}.{PARTS}.{index}.weights", Component::Vision);
            Some((path, text))
        }
        _ => None,
    })
}

/// Removes the parts' own weights, where all of them lie elsewhere.
pub(super) fn take_weights(options: &mut Table) {
    for table in tables(options) {
        table.remove("weights");
    }
}

/// The parts that are tables.
fn tables(options: &mut Table) -> impl Iterator<Item = &mut Table> {
    let parts = options.get_mut(PARTS).and_then(Value::as_array_mut);
    parts.into_iter().flatten().filter_map(Value::as_table_mut)
}
