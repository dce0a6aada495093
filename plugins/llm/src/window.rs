//! Which blocks attend over a window, as options and Hugging Face's configs state it.

use std::num::NonZeroUsize;

use menagerie_core::BuildError;
use menagerie_core::hf::HfConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a block attends over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayerType {
    /// All tokens up to its own.
    FullAttention,
    /// The `sliding_window` tokens up to and with its own.
    SlidingAttention,
}

/// The windows of a decoder's blocks. Default: none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Windows {
    /// Tokens that a block with a window sees, its own included.
    pub window: Option<NonZeroUsize>,
    pub layers: Layers,
}

/// Which blocks have the window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Layers {
    #[default]
    None,
    All,
    /// The first, the third and so on.
    Alternate,
    Listed(Vec<LayerType>),
}

impl Windows {
    /// The same window in the blocks that `layer_types` names; where it is not stated, in `otherwise`.
    pub(crate) fn new(
        window: Option<NonZeroUsize>,
        layer_types: Option<&[LayerType]>,
        otherwise: Layers,
    ) -> Self {
        let layers = layer_types.map_or(otherwise, |types| Layers::Listed(types.to_vec()));
        Self { window, layers }
    }

    /// Tokens that block `index` sees, if not all.
    pub(crate) fn of(&self, index: usize) -> Option<NonZeroUsize> {
        let has = match &self.layers {
            Layers::None => false,
            Layers::All => true,
            Layers::Alternate => index.is_multiple_of(2),
            Layers::Listed(types) => types.get(index) == Some(&LayerType::SlidingAttention),
        };
        self.window.filter(|_| has)
    }

    pub(crate) fn check(&self, plugin: &str, num_layers: usize) -> Result<(), BuildError> {
        let invalid = |key, message: &str| Err(BuildError::invalid(plugin, key, message));
        let slides = match &self.layers {
            Layers::None => false,
            Layers::All | Layers::Alternate => true,
            Layers::Listed(types) => {
                if types.len() != num_layers {
                    let count = types.len();
                    let message =
                        format!("it names {count} blocks, and num_layers is {num_layers}");
                    return invalid("layer_types", &message);
                }
                let slides = types.contains(&LayerType::SlidingAttention);
                if slides && self.window.is_none() {
                    let message = "sliding_attention needs a `sliding_window`, in tokens";
                    return invalid("layer_types", message);
                }
                slides
            }
        };
        if self.window.is_some() && !slides {
            let message = "no block has it; `layer_types` names those with sliding_attention";
            return invalid("sliding_window", message);
        }
        Ok(())
    }

    /// `sliding_window` and `layer_types` as transformers' configs state them, for `num_layers` blocks.
    pub(crate) fn fields(&self, num_layers: usize) -> Map<String, Value> {
        let kind = |index| match self.of(index) {
            Some(_) => LayerType::SlidingAttention,
            None => LayerType::FullAttention,
        };
        let types: Vec<LayerType> = (0..num_layers).map(kind).collect();
        Map::from_iter([
            ("sliding_window".to_owned(), json!(self.window)),
            ("layer_types".to_owned(), json!(types)),
        ])
    }
}

/// Sets `sliding_window`. `default` is what transformers assumes where the file says nothing, which
/// is not the same as null.
pub(crate) fn read_window(
    hf: HfConfig<'_>,
    default: Option<i64>,
) -> Result<HfConfig<'_>, BuildError> {
    let tokens = match hf.stated("sliding_window") {
        None => default,
        Some(Value::Null) => None,
        Some(value) => {
            let tokens = value.as_i64().filter(|&tokens| tokens > 0);
            let allowed = "it is null, or a number of tokens from 1";
            let wrong = || hf.unsupported("sliding_window", "sliding_window", value, allowed);
            Some(tokens.ok_or_else(wrong)?)
        }
    };
    Ok(match tokens {
        Some(tokens) => hf.with("sliding_window", tokens),
        None => hf,
    })
}

/// Sets `layer_types` if the file states them, and `sliding_window` as [`read_window`] does, if a block
/// has it.
pub(crate) fn read_layers(
    hf: HfConfig<'_>,
    default: Option<i64>,
) -> Result<HfConfig<'_>, BuildError> {
    let Some(value) = hf.get("layer_types") else {
        return read_window(hf, default);
    };
    let Ok(types) = serde_json::from_value::<Vec<LayerType>>(value.clone()) else {
        let allowed = "it lists \"full_attention\" and \"sliding_attention\"";
        return Err(hf.unsupported("layer_types", "layer_types", value, allowed));
    };
    let names = value.as_array().into_iter().flatten();
    let names: toml::value::Array = names
        .filter_map(Value::as_str)
        .map(toml::Value::from)
        .collect();
    let hf = hf.with("layer_types", names);
    if types.contains(&LayerType::SlidingAttention) {
        read_window(hf, default)
    } else {
        Ok(hf)
    }
}

/// Sets both as Qwen's configs state them: switched on by `use_sliding_window`, from block
/// `max_window_layers` on. Without a block that has the window nothing is set.
pub(crate) fn read_qwen(hf: HfConfig<'_>, num_layers: i64) -> Result<HfConfig<'_>, BuildError> {
    if hf.get("use_sliding_window") != Some(&json!(true)) {
        return Ok(hf);
    }
    if hf.get("layer_types").is_some() {
        return read_layers(hf, Some(4096));
    }
    let number = |field, default| hf.get(field).map_or(Some(default), Value::as_u64);
    let count = number("num_hidden_layers", num_layers.unsigned_abs());
    // So many blocks no model has; `num_layers` is what is wrong then.
    let Some(count) = count.filter(|&count| count <= 1000) else {
        return Ok(hf);
    };
    let Some(first) = number("max_window_layers", 28) else {
        let value = hf.get("max_window_layers").unwrap_or(&Value::Null);
        let allowed = "it is a number of blocks";
        return Err(hf.unsupported("layer_types", "max_window_layers", value, allowed));
    };
    if first >= count || hf.stated("sliding_window") == Some(&Value::Null) {
        return Ok(hf);
    }
    let kind = |block| {
        if block < first {
            "full_attention"
        } else {
            "sliding_attention"
        }
    };
    let types: toml::value::Array = (0..count).map(|block| kind(block).into()).collect();
    read_window(hf.with("layer_types", types), Some(4096))
}

/// What Qwen's configs state, `max_window_layers` for versions of transformers before `layer_types`.
pub(crate) fn qwen_fields(windows: &Windows, num_layers: usize) -> Map<String, Value> {
    let full = (0..num_layers).take_while(|&index| windows.of(index).is_none());
    let full = full.count();
    let mut fields = windows.fields(num_layers);
    fields.insert("use_sliding_window".to_owned(), json!(full < num_layers));
    fields.insert("max_window_layers".to_owned(), json!(full));
    fields
}
