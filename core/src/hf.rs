//! Reading and writing the fields of a Hugging Face `config.json`.

use serde_json::{Map, Value};
use toml::Table;

use crate::error::BuildError;

/// Collects a plugin's options from the fields of a `config.json`.
#[derive(Debug)]
pub struct HfConfig<'a> {
    plugin: &'static str,
    whole: &'a Value,
    config: &'a Value,
    options: Table,
}

impl<'a> HfConfig<'a> {
    /// Reads from `config`, or from its table `nested` where a larger model's config holds one
    /// (`vision_config`, `text_config`).
    #[must_use]
    pub fn new(plugin: &'static str, config: &'a Value, nested: &str) -> Self {
        Self {
            plugin,
            whole: config,
            config: config.get(nested).unwrap_or(config),
            options: Table::new(),
        }
    }

    /// The raw field, if it is there and not null.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&'a Value> {
        self.config.get(field).filter(|value| !value.is_null())
    }

    /// The raw field if it is there, null included: to some fields a null is a value.
    #[must_use]
    pub fn stated(&self, field: &str) -> Option<&'a Value> {
        self.config.get(field)
    }

    /// The raw field at the top of the whole file, whichever table is read: a larger model's fields
    /// that concern this component. None if it is null.
    #[must_use]
    pub fn outer(&self, field: &str) -> Option<&'a Value> {
        self.whole.get(field).filter(|value| !value.is_null())
    }

    /// Sets option `key` to a value that was worked out from the fields.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<toml::Value>) -> Self {
        self.options.insert(key.to_owned(), value.into());
        self
    }

    /// An error about option `key`: `field` of the file holds what the plugin cannot compute.
    #[must_use]
    pub fn unsupported(&self, key: &str, field: &str, value: &Value, allowed: &str) -> BuildError {
        let message =
            format!("config.json has `{field}` = {value}, which is not supported; {allowed}");
        BuildError::invalid(self.plugin, key, message)
    }

    /// Sets option `key` from the first of `fields` that is there, or to `default`, which is what
    /// transformers assumes where the file says nothing.
    ///
    /// # Errors
    /// A field of another kind than the default.
    pub fn set(
        mut self,
        key: &str,
        fields: &[&str],
        default: impl Into<toml::Value>,
    ) -> Result<Self, BuildError> {
        let default = default.into();
        let found = fields
            .iter()
            .find_map(|field| Some((*field, self.get(field)?)));
        let value = match found {
            None => default,
            Some((field, value)) => {
                let converted = convert(value, &default);
                converted.ok_or_else(|| {
                    let kind = default.type_str();
                    let message =
                        format!("config.json has `{field}` = {value}, not of type {kind}");
                    BuildError::invalid(self.plugin, key, message)
                })?
            }
        };
        self.options.insert(key.to_owned(), value);
        Ok(self)
    }

    /// The options collected.
    #[must_use]
    pub fn into_options(self) -> Table {
        self.options
    }
}

/// A component as a Hugging Face `config.json` states it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HfParts {
    /// The component's own `config.json` with `model_type` and `architectures`; in a larger model's
    /// it is the table `vision_config` or `text_config`.
    pub config: Map<String, Value>,
    /// Fields that the larger model's config states at its top. An encoder that states no
    /// `vision_feature_layer` there is exported alone, and is no part of a larger model of Hugging
    /// Face's.
    pub outer: Map<String, Value>,
}

impl HfParts {
    /// Of the fields of both places.
    pub fn new<'f>(
        config: impl IntoIterator<Item = (&'f str, Value)>,
        outer: impl IntoIterator<Item = (&'f str, Value)>,
    ) -> Self {
        let own = |(field, value): (&str, Value)| (field.to_owned(), value);
        Self {
            config: config.into_iter().map(own).collect(),
            outer: outer.into_iter().map(own).collect(),
        }
    }

    /// A larger model's config around the component, which stands in its table `nested`.
    #[must_use]
    pub fn whole(self, nested: &str) -> Value {
        let mut whole = self.outer;
        whole.insert(nested.to_owned(), Value::Object(self.config));
        Value::Object(whole)
    }
}

/// `value` as a TOML value of the same kind as `like`.
fn convert(value: &Value, like: &toml::Value) -> Option<toml::Value> {
    match like {
        toml::Value::Integer(_) => value.as_i64().map(Into::into),
        toml::Value::Float(_) => value.as_f64().map(Into::into),
        toml::Value::Boolean(_) => value.as_bool().map(Into::into),
        toml::Value::String(_) => value.as_str().map(Into::into),
        _ => None,
    }
}
