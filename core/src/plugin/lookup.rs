//! The plugin that reads a published model, found by what the model's `config.json` says.

use serde_json::Value;
use toml::Table;

use super::{DecoderPlugin, EncoderPlugin, PluginInfo, ProjectorPlugin, check_unique};
use crate::component::Component;
use crate::error::BuildError;

/// The encoder that answers to a `model_type`.
///
/// # Errors
/// There is none, or two.
pub fn encoder_of(model_type: &str) -> Result<&'static EncoderPlugin, BuildError> {
    of(
        Component::Vision,
        model_type,
        inventory::iter::<EncoderPlugin>.into_iter(),
        |entry| &entry.info,
    )
}

/// The decoder that answers to a `model_type`.
///
/// # Errors
/// There is none, or two.
pub fn decoder_of(model_type: &str) -> Result<&'static DecoderPlugin, BuildError> {
    of(
        Component::Llm,
        model_type,
        inventory::iter::<DecoderPlugin>.into_iter(),
        |entry| &entry.info,
    )
}

/// The projector of a whole model's config, with the options that the config states.
///
/// # Errors
/// None that is linked in answers to it, or two do.
pub fn projector_of(config: &Value) -> Result<(&'static ProjectorPlugin, Table), BuildError> {
    let mut found: Option<(&ProjectorPlugin, Table)> = None;
    for entry in inventory::iter::<ProjectorPlugin> {
        let Some(options) = entry.info.answers(config)? else {
            continue;
        };
        if let Some((first, _)) = found {
            return Err(BuildError::DuplicatePlugin {
                component: Component::Projector,
                name: format!("{}, {}", first.info.name, entry.info.name),
                first: first.info.crate_name.to_owned(),
                second: entry.info.crate_name.to_owned(),
            });
        }
        found = Some((entry, options));
    }
    found.ok_or_else(|| {
        let mut known: Vec<String> = inventory::iter::<ProjectorPlugin>
            .into_iter()
            .map(|entry| entry.info.name.to_owned())
            .collect();
        known.sort_unstable();
        let named = config.get("mm_projector_type").and_then(Value::as_str);
        BuildError::UnknownModelType {
            component: Component::Projector,
            model_type: named
                .unwrap_or("the one that config.json describes")
                .to_owned(),
            known,
        }
    })
}

/// The encoder that was published under a hub id, and the preset that it is.
#[must_use]
pub fn published_encoder(hub_id: &str) -> Option<(&'static EncoderPlugin, &'static str)> {
    let mut entries = inventory::iter::<EncoderPlugin>.into_iter();
    entries.find_map(|entry| {
        let mut published = entry.info.published.iter();
        let (_, preset) = published.find(|(id, _)| *id == hub_id)?;
        Some((entry, *preset))
    })
}

/// The decoder's type in the `config.json` of an original LLaVA: `llava_qwen2` is a `qwen2`, and
/// `llava`, the first of them, a `llama`. Of any other config the `model_type` as it is.
#[must_use]
pub fn decoder_type(config: &Value) -> &str {
    let stated = config
        .get("model_type")
        .and_then(Value::as_str)
        .unwrap_or("llama");
    if config.get("mm_vision_tower").is_none() {
        return stated;
    }
    match stated {
        "llava" => "llama",
        "llava_qwen" => "qwen2",
        other => other.strip_prefix("llava_").unwrap_or(other),
    }
}

fn of<P>(
    component: Component,
    model_type: &str,
    entries: impl Iterator<Item = &'static P> + Clone,
    info: fn(&P) -> &PluginInfo,
) -> Result<&'static P, BuildError> {
    check_unique(entries.clone().map(info))?;
    let reads = |entry: &&P| info(entry).model_types.contains(&model_type);
    entries.clone().find(reads).ok_or_else(|| {
        let mut known: Vec<String> = entries
            .flat_map(|entry| info(entry).model_types)
            .map(|&name| name.to_owned())
            .collect();
        known.sort_unstable();
        BuildError::UnknownModelType {
            component,
            model_type: model_type.to_owned(),
            known,
        }
    })
}
