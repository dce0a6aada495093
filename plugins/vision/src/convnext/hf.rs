//! What `config.json` says of a ConvNeXt: transformers' own, or timm's.

use menagerie_core::BuildError;
use menagerie_core::hf::{HfConfig, HfParts};
use serde_json::{Value, json};

use super::{ConvNextConfig, Statistics};
use crate::pixels::CLIP_MEAN;
use menagerie_core::EncoderConfig;

/// The architectures of timm (`timm/models/convnext.py`) that are this model, each with the preset
/// of its sizes. `_mlp` has another head, which is not read.
const ARCHITECTURES: [(&str, &str); 7] = [
    ("convnext_tiny", "tiny"),
    ("convnext_small", "small"),
    ("convnext_base", "base"),
    ("convnext_large", "large"),
    ("convnext_large_mlp", "large"),
    ("convnext_xlarge", "xlarge"),
    ("convnext_xxlarge", "clip-xxlarge"),
];

/// The options that a `config.json` states.
pub(super) fn read(config: &Value) -> Result<toml::Table, BuildError> {
    let hf = HfConfig::new(ConvNextConfig::NAME, config, "vision_config");
    match hf.get("architecture").and_then(Value::as_str) {
        Some(architecture) => read_timm(&hf, architecture),
        None => read_transformers(hf),
    }
}

/// timm's names an architecture, and what its weights were trained with.
fn read_timm(hf: &HfConfig, architecture: &str) -> Result<toml::Table, BuildError> {
    let found = ARCHITECTURES.iter().find(|(name, _)| *name == architecture);
    let Some((_, preset)) = found else {
        let names = ARCHITECTURES.map(|(name, _)| name).join(", ");
        let value = json!(architecture);
        let allowed = format!("it is one of {names}");
        return Err(hf.unsupported("hidden_sizes", "architecture", &value, &allowed));
    };
    let mut config = ConvNextConfig::preset(preset);
    let trained = hf.get("pretrained_cfg");
    let of_trained = |field| trained.and_then(|trained| trained.get(field));
    // Channels, height and width.
    let side = of_trained("input_size").and_then(|size| size.get(1)?.as_u64());
    if let Some(side) = side.and_then(|side| usize::try_from(side).ok()) {
        config.image_size = side;
    }
    let mean = of_trained("mean").and_then(|mean| mean.get(0)?.as_f64());
    config.statistics = match mean {
        Some(red) if (red - f64::from(CLIP_MEAN[0])).abs() < 1e-4 => Statistics::Clip,
        _ => Statistics::Imagenet,
    };
    let options = toml::Table::try_from(config).expect("options are TOML");
    // What is read of the model is not timm's to say.
    Ok(options
        .into_iter()
        .filter(|(key, _)| key != "layer")
        .collect())
}

/// Field names and defaults of transformers' `ConvNextConfig`.
fn read_transformers(hf: HfConfig) -> Result<toml::Table, BuildError> {
    let base = ConvNextConfig::preset("tiny");
    if let Some(value) = hf.get("hidden_act").filter(|value| *value != "gelu") {
        let allowed = "it is \"gelu\" in every published model";
        return Err(hf.unsupported("hidden_sizes", "hidden_act", value, allowed));
    }
    let scale = hf.get("layer_scale_init_value");
    if let Some(value) = scale.filter(|value| value.as_f64().is_some_and(|scale| scale <= 0.0)) {
        let allowed = "a block without layer scale has other weights";
        return Err(hf.unsupported("hidden_sizes", "layer_scale_init_value", value, allowed));
    }
    let sizes = |hf: &HfConfig, key, field, default: &[usize]| {
        let Some(value) = hf.get(field) else {
            return Ok(default.iter().map(|&size| whole(size)).collect());
        };
        let list = value.as_array().map(|items| items.iter());
        let list = list.and_then(|items| items.map(|item| item.as_i64().map(Into::into)).collect());
        let list: Option<Vec<toml::Value>> = list;
        list.ok_or_else(|| hf.unsupported(key, field, value, "it is a list of whole numbers"))
    };
    let hidden_sizes = sizes(&hf, "hidden_sizes", "hidden_sizes", &base.hidden_sizes)?;
    let depths = sizes(&hf, "depths", "depths", &base.depths)?;
    let options = hf
        .with("hidden_sizes", hidden_sizes)
        .with("depths", depths)
        .with("statistics", "imagenet")
        // transformers' stages have no other, whatever the field of that name says.
        .with("layer_norm_eps", ConvNextConfig::EPSILON)
        .set("image_size", &["image_size"], whole(base.image_size))?
        .set("patch_size", &["patch_size"], whole(base.patch_size))?;
    Ok(options.into_options())
}

fn whole(size: usize) -> toml::Value {
    i64::try_from(size).unwrap_or(i64::MAX).into()
}

/// What transformers calls it, if it can compute it. It has no whole model with such an encoder.
pub(super) fn write(config: &ConvNextConfig) -> Option<HfParts> {
    let is_known = (config.layer_norm_eps - ConvNextConfig::EPSILON).abs() < f64::EPSILON;
    let fields = [
        ("architectures", json!(["ConvNextModel"])),
        ("model_type", json!("convnext")),
        ("num_channels", json!(3)),
        ("image_size", json!(config.image_size)),
        ("patch_size", json!(config.patch_size)),
        ("num_stages", json!(config.hidden_sizes.len())),
        ("hidden_sizes", json!(config.hidden_sizes)),
        ("depths", json!(config.depths)),
        ("hidden_act", json!("gelu")),
    ];
    is_known.then(|| HfParts::new(fields, []))
}
