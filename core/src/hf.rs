//! Reading the fields of a Hugging Face `config.json`.

use serde_json::Value;
use toml::Table;

use crate::error::BuildError;

/// Collects a plugin's options from the fields of a `config.json`.
#[derive(Debug)]
pub struct HfConfig<'a> {
    plugin: &'static str,
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
            config: config.get(nested).unwrap_or(config),
            options: Table::new(),
        }
    }

    /// The raw field, if it is there and not null.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&'a Value> {
        self.config.get(field).filter(|value| !value.is_null())
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
