//! Which hidden states and tokens of a vision transformer go on to the projector.

use std::ops::Range;

use burn::tensor::Tensor;
use menagerie_core::hf::HfConfig;
use menagerie_core::{BuildError, OneOrMany};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which tokens of the hidden state go on to the projector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// The patches alone.
    #[default]
    Patch,
    /// The class token and the patches.
    ClsPatch,
}

/// LLaVA reads the hidden state before the last (arXiv 2304.08485, section 4.1).
pub(crate) fn default_layer() -> OneOrMany<i64> {
    OneOrMany::one(-2)
}

/// The hidden states read, counted from the front, and the tokens of each that are left out.
#[derive(Debug, Clone)]
pub(crate) struct Features {
    states: Vec<usize>,
    left_out: Range<usize>,
}

impl Features {
    /// `layers` as the option `layer` of `plugin` states them: 0 is the embeddings, `n` the output
    /// of block `n`, and negative numbers count from the end.
    pub(crate) fn new(
        plugin: &'static str,
        layers: &OneOrMany<i64>,
        num_layers: usize,
        left_out: Range<usize>,
    ) -> Result<Self, BuildError> {
        let invalid = |message: String| BuildError::invalid(plugin, "layer", message);
        if layers.is_empty() {
            return Err(invalid(
                "the list is empty; state one layer or more".to_owned(),
            ));
        }
        let last = i64::try_from(num_layers).unwrap_or(i64::MAX - 1);
        let state = |&layer: &i64| {
            let index = if layer < 0 { layer + last + 1 } else { layer };
            let index = usize::try_from(index).ok().filter(|&i| i <= num_layers);
            index.ok_or_else(|| {
                let first = -last - 1;
                invalid(format!(
                    "there is no hidden state {layer}; it goes from {first} to {last}"
                ))
            })
        };
        let states = layers.iter().map(state).collect::<Result<_, _>>()?;
        Ok(Self { states, left_out })
    }

    /// Hidden states side by side in a token.
    pub(crate) fn count(&self) -> usize {
        self.states.len()
    }

    /// The hidden states read, in the order stated.
    pub(crate) fn states(&self) -> Vec<usize> {
        self.states.clone()
    }

    /// Blocks that must be run for them.
    pub(crate) fn blocks(&self) -> usize {
        self.states.iter().copied().max().unwrap_or(0)
    }

    /// The states read, each `[batch, token, hidden]` -> `[batch, token left, states · hidden]`
    pub(crate) fn join(&self, states: Vec<Tensor<3>>) -> Tensor<3> {
        let mut states: Vec<_> = states.into_iter().map(|state| self.tokens(state)).collect();
        match states.len() {
            1 => states.remove(0),
            _ => Tensor::cat(states, 2),
        }
    }

    fn tokens(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [_, tokens, _] = hidden.dims();
        let Range { start, end } = self.left_out;
        let rest = |hidden: Tensor<3>| hidden.narrow(1, end, tokens - end);
        match (start, end) {
            (start, end) if start == end => hidden,
            (0, _) => rest(hidden),
            _ => Tensor::cat(vec![hidden.clone().narrow(1, 0, start), rest(hidden)], 1),
        }
    }
}

/// What a plugin calls the selections of tokens that whole models' configs name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SelectNames {
    /// Hugging Face's `vision_feature_select_strategy = "default"`: all tokens but the first.
    pub default: &'static str,
    /// Hugging Face's `"full"`: all tokens.
    pub full: &'static str,
    /// The original LLaVA's `mm_vision_select_feature = "patch"`: all patches.
    pub patch: &'static str,
    /// The original LLaVA's `"cls_patch"`: the class token, if there is one, and all patches.
    pub cls_patch: &'static str,
}

/// Whether this is the original LLaVA's config of a whole model: it names its encoder, and the sizes
/// at its top are the decoder's.
pub(crate) fn is_original(hf: &HfConfig) -> bool {
    hf.outer("vision_config").is_none() && hf.outer("mm_vision_tower").is_some()
}

/// Sets `layer` and `select` from the fields of a whole model's config. An encoder's own config says
/// nothing of them.
pub(crate) fn choices_from_hf(
    mut hf: HfConfig,
    names: SelectNames,
) -> Result<HfConfig, BuildError> {
    let original = is_original(&hf);
    let model_type = hf.outer("model_type").and_then(Value::as_str);
    // transformers leaves out what it assumes anyway: layer -2 and the strategy "default".
    let assumed = hf.outer("vision_config").is_some()
        && model_type.is_some_and(|name| name.starts_with("llava"));

    let field = if original {
        "mm_vision_select_layer"
    } else {
        "vision_feature_layer"
    };
    if let Some(value) = hf.outer(field) {
        let layers = layers(value)
            .ok_or_else(|| hf.unsupported("layer", field, value, "a layer is a whole number"))?;
        hf = hf.with("layer", layers);
    } else if assumed {
        hf = hf.with("layer", -2);
    }

    let (field, known, absent) = if original {
        let known = [("patch", names.patch), ("cls_patch", names.cls_patch)];
        ("mm_vision_select_feature", known, Some(names.patch))
    } else {
        let known = [("default", names.default), ("full", names.full)];
        let absent = assumed.then_some(names.default);
        ("vision_feature_select_strategy", known, absent)
    };
    let select = match hf.outer(field) {
        None => absent,
        Some(value) => {
            let found = known.iter().find(|(name, _)| value == name);
            let [(first, _), (second, _)] = known;
            let allowed = format!("it is \"{first}\" or \"{second}\"");
            Some(
                found
                    .ok_or_else(|| hf.unsupported("select", field, value, &allowed))?
                    .1,
            )
        }
    };
    Ok(match select {
        Some(select) => hf.with("select", select),
        None => hf,
    })
}

/// A number or a list of numbers.
fn layers(value: &Value) -> Option<toml::Value> {
    match value {
        Value::Array(items) => items
            .iter()
            .map(layers)
            .collect::<Option<Vec<_>>>()
            .map(Into::into),
        other => other.as_i64().map(Into::into),
    }
}

#[cfg(test)]
mod tests;
