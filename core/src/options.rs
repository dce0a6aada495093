//! A plugin's options as a person reads them: what each takes, its default, its meaning. All of it
//! comes from the config type.

use schemars::Schema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::plugin::PluginInfo;

/// One option of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OptionInfo {
    /// The key in the component's table.
    pub name: String,
    /// What it takes: `integer`, `number`, `"patch" | "cls_patch"`.
    pub kind: String,
    /// The value where it is not stated.
    pub default: Option<Value>,
    /// Whether it must be stated, by the recipe, a preset or the weights.
    pub required: bool,
    /// What it means, with its unit.
    pub description: String,
}

/// The options of a plugin, in the order of its config type.
#[must_use]
pub fn describe(plugin: &PluginInfo) -> Vec<OptionInfo> {
    of_schema(&plugin.schema())
}

/// The same of a config type's schema, as a benchmark's
/// ([`BenchmarkPlugin::schema`](crate::plugin::BenchmarkPlugin::schema)).
#[must_use]
pub fn of_schema(schema: &Schema) -> Vec<OptionInfo> {
    let schema = schema.clone().to_value();
    let required = |name: &str| {
        let names = schema["required"].as_array();
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    properties(&schema)
        .into_iter()
        .map(|(name, option)| OptionInfo {
            kind: kind(&option),
            default: option
                .get("default")
                .filter(|value| !value.is_null())
                .cloned(),
            required: required(&name),
            description: text(&option["description"]),
            name,
        })
        .collect()
}

/// What a plugin says of itself: the docs of its config type.
#[must_use]
pub fn description(plugin: &PluginInfo) -> String {
    text(&plugin.schema().to_value()["description"])
}

/// The schema of each option, complete in itself: two plugins may use one name for their types.
pub(crate) fn schemas(plugin: &PluginInfo) -> Map<String, Value> {
    properties(&plugin.schema().to_value())
}

fn properties(schema: &Value) -> Map<String, Value> {
    let mut properties = schema["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    for option in properties.values_mut() {
        inline(option, &schema["$defs"]);
    }
    properties
}

fn inline(value: &mut Value, definitions: &Value) {
    if let Some(object) = value.as_object_mut() {
        let reference = object.get("$ref").and_then(Value::as_str);
        let name = reference.and_then(|path| path.strip_prefix("#/$defs/"));
        if let Some(definition) = name.and_then(|name| definitions[name].as_object()).cloned() {
            object.remove("$ref");
            for (key, part) in definition {
                object.entry(key).or_insert(part);
            }
        }
    }
    children(value, &mut |child| inline(child, definitions));
}

pub(crate) fn children(value: &mut Value, change: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(change),
        Value::Object(object) => object.values_mut().for_each(change),
        _ => {}
    }
}

/// Docs wrapped over lines, as one.
fn text(description: &Value) -> String {
    description.as_str().unwrap_or_default().replace('\n', " ")
}

fn kind(schema: &Value) -> String {
    if let Some(constant) = schema.get("const") {
        return constant.to_string();
    }
    let any_of = |choices: &[Value], kind: fn(&Value) -> String| {
        let mut kinds: Vec<String> = choices.iter().map(kind).collect();
        kinds.retain(|kind| kind != "null");
        kinds.join(" | ")
    };
    for key in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[key].as_array() {
            return any_of(choices, kind);
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return any_of(words, Value::to_string);
    }
    if schema["properties"]["type"]["const"].is_string() {
        return table(schema);
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("array of {}", kind(&schema["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => any_of(names, text),
        _ => "any".to_owned(),
    }
}

/// A table told by its `type`: `{ type = "linear", factor }`, keys that may be left out in [ ].
fn table(schema: &Value) -> String {
    let required = |key: &str| {
        let keys = schema["required"].as_array();
        keys.is_some_and(|keys| keys.iter().any(|required| required == key))
    };
    let keys = schema["properties"].as_object().into_iter().flatten();
    let others = keys.filter(|(key, _)| *key != "type");
    let others = others.map(|(key, _)| {
        if required(key) {
            format!(", {key}")
        } else {
            format!(", [{key}]")
        }
    });
    let tag = &schema["properties"]["type"]["const"];
    format!("{{ type = {tag}{} }}", others.collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_named_as_a_recipe_writes_them() {
        assert_eq!(kind(&json!({ "type": ["integer", "null"] })), "integer");
        assert_eq!(
            kind(&json!({ "enum": ["gelu", "relu"] })),
            "\"gelu\" | \"relu\""
        );
        let select = json!({ "oneOf": [{ "const": "patch" }, { "const": "cls_patch" }] });
        assert_eq!(kind(&select), "\"patch\" | \"cls_patch\"");
        let layers = json!({ "type": "array", "items": { "type": "integer" } });
        assert_eq!(kind(&layers), "array of integer");
        let scaling = json!({
            "properties": { "type": { "const": "yarn" }, "factor": {}, "beta_fast": {} },
            "required": ["type", "factor"],
        });
        let expected = "{ type = \"yarn\", factor, [beta_fast] }";
        assert_eq!(kind(&scaling), expected);
    }
}
