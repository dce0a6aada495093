//! JSON Schema of a recipe file, with the options of the plugins that are linked in.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::Recipe;
use super::error::RecipeError;
use super::origin::{Origin, Source};
use crate::component::Component;
use crate::options::{self, children};
use crate::plugin::{self, PluginInfo};

impl Recipe {
    /// The schema.
    ///
    /// It requires no key: a recipe that extends another states only its difference.
    ///
    /// # Errors
    /// Two plugins of one component, or two benchmarks, that share a name.
    pub fn schema() -> Result<Schema, RecipeError> {
        let plugins = plugin::list().map_err(|error| RecipeError::Build {
            origin: Origin::new(&Source::Text.into(), "", 0),
            error,
        })?;
        let benchmarks = plugin::benchmarks().map_err(|error| RecipeError::Benchmark {
            origin: Origin::new(&Source::Text.into(), "", 0),
            error,
        })?;
        let mut schema = SchemaSettings::draft2020_12()
            .into_generator()
            .into_root_schema_for::<Self>()
            .to_value();
        schema["properties"]["extends"] = json!({
            "type": "string",
            "description": "A recipe that this one states the difference to: a file, relative to this one, or an embedded recipe's name.",
        });
        let folder = json!({ "type": "string", "description": "The folder, relative to this recipe, or a hub id." });
        schema["properties"]["model"] = json!({
            "description": "A whole model's folder, which supplies the three components: a run folder, Hugging Face's layout, the original LLaVA's, a projector or an adapter over its base.",
            "anyOf": [folder, {
                "type": "object",
                "properties": {
                    "path": folder,
                    "base": { "type": "string", "description": "What an adapter, a lone projector or delta weights lie over: a folder or a hub id." },
                    "delta": { "type": "boolean", "description": "Whether the folder's weights are differences to those of `base`.", "default": false },
                },
                "additionalProperties": false,
            }],
        });
        for component in Component::ALL {
            let table = match component {
                Component::Vision => "VisionTable",
                Component::Projector => "ProjectorTable",
                Component::Llm => "LlmTable",
            };
            let own = schema["$defs"][table].take();
            let members = plugins.iter().filter(|info| info.component == component);
            let choices: Vec<Value> = members.map(|info| choice(&own, info)).collect();
            schema["$defs"][table] = json!({
                "description": own["description"],
                "type": "object",
                "anyOf": choices,
            });
        }
        let names: Vec<_> = benchmarks.iter().map(|plugin| plugin.name).collect();
        schema["$defs"]["EvalTable"]["properties"]["benchmark"]["enum"] = json!(names);
        as_difference(&mut schema);
        Ok(Schema::try_from(schema).expect("an object is a schema"))
    }
}

/// A component's table for one plugin: core's keys, then its options.
fn choice(own: &Value, info: &PluginInfo) -> Value {
    let plugin = info.schema().to_value();
    let mut properties = own["properties"].as_object().cloned().unwrap_or_default();
    properties.insert("type".to_owned(), json!({ "const": info.name }));
    let presets = info.presets();
    if presets.is_empty() {
        properties.remove("preset");
    } else if let Some(preset) = properties.get_mut("preset") {
        let names: Vec<_> = presets.iter().map(|(name, _)| *name).collect();
        *preset = json!({ "description": preset["description"], "enum": names });
    }
    if let Some(resize) = properties.get_mut("resize") {
        resize["default"] = json!(info.resize);
    }
    properties.extend(options::schemas(info));
    json!({
        "title": info.name,
        "description": plugin["description"],
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Makes the schema fit a difference: nothing is required, and a tagged table that leaves its
/// `type` to the recipe it extends may be any of its alternatives.
fn as_difference(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        if object.get("required").is_some_and(Value::is_array) {
            object.remove("required");
        }
        // TOML has no null: an optional key is left out.
        if let Some([kind, Value::String(null)]) = object.get("type").and_then(as_pair)
            && null == "null"
        {
            let kind = kind.clone();
            object.insert("type".to_owned(), kind);
        }
        let is_tagged = |choices: &Value| choices[0]["properties"]["type"]["const"].is_string();
        if let Some(choices) = object
            .get("oneOf")
            .filter(|choices| is_tagged(choices))
            .cloned()
        {
            object.remove("oneOf");
            object.insert("anyOf".to_owned(), choices);
        }
    }
    children(value, &mut as_difference);
}

fn as_pair(value: &Value) -> Option<&[Value; 2]> {
    value.as_array()?.as_slice().try_into().ok()
}
