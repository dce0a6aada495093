//! What `config.json` says of a DINOv2.

use menagerie_core::hf::{HfConfig, HfParts};
use menagerie_core::{BuildError, EncoderConfig};
use serde_json::{Value, json};

use super::Dinov2Config;
use crate::features::{Select, SelectNames, choices_from_hf, is_original};

/// The `model_type` of the models with registers.
pub(super) const WITH_REGISTERS: &str = "dinov2_with_registers";

/// What no published model has otherwise.
fn check_fixed(hf: &HfConfig) -> Result<(), BuildError> {
    for (key, field, fixed) in [
        ("swiglu", "hidden_act", json!("gelu")),
        ("num_heads", "qkv_bias", json!(true)),
    ] {
        if let Some(value) = hf.get(field).filter(|value| **value != fixed) {
            let allowed = format!("it is {fixed} in every published model");
            return Err(hf.unsupported(key, field, value, &allowed));
        }
    }
    Ok(())
}

/// Field names and defaults of `Dinov2Config` and `Dinov2WithRegistersConfig`.
pub(super) fn read(config: &Value) -> Result<toml::Table, BuildError> {
    let names = SelectNames {
        default: "patch",
        full: "cls_patch",
        patch: "patch",
        cls_patch: "cls_patch",
    };
    let hf = HfConfig::new(Dinov2Config::NAME, config, "vision_config");
    let hf = choices_from_hf(hf, names)?;
    if is_original(&hf) {
        return Ok(hf.into_options());
    }
    check_fixed(&hf)?;
    let has_registers = hf
        .get("model_type")
        .is_some_and(|name| name == WITH_REGISTERS);
    if has_registers && hf.outer("vision_config").is_some() {
        let value = json!(WITH_REGISTERS);
        let allowed = "whole models of transformers take its registers for patches, and no \
                       features come of them here; an encoder without registers is read";
        return Err(hf.unsupported("select", "model_type", &value, allowed));
    }
    let base = Dinov2Config::base();
    let patch_size = if has_registers { 16 } else { 14 };
    let registers = if has_registers { 4 } else { 0 };
    let whole = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    let options = hf
        .set("image_size", &["image_size"], 224)?
        .set("trained_image_size", &["image_size"], 224)?
        .set("patch_size", &["patch_size"], patch_size)?
        .set("hidden_size", &["hidden_size"], whole(base.hidden_size))?
        .set("num_layers", &["num_hidden_layers"], whole(base.num_layers))?
        .set("num_heads", &["num_attention_heads"], whole(base.num_heads))?
        .set("mlp_ratio", &["mlp_ratio"], whole(base.mlp_ratio))?
        .set("swiglu", &["use_swiglu_ffn"], false)?
        .set("num_registers", &["num_register_tokens"], registers)?
        .set("layer_norm_eps", &["layer_norm_eps"], 1e-6)?;
    Ok(options.into_options())
}

/// What transformers calls it. It has no whole model with registers as they are here.
pub(super) fn write(config: &Dinov2Config) -> HfParts {
    let has_registers = config.num_registers > 0;
    let (architecture, model_type) = if has_registers {
        ("Dinov2WithRegistersModel", WITH_REGISTERS)
    } else {
        ("Dinov2Model", "dinov2")
    };
    let image_size = config.trained_image_size.unwrap_or(config.image_size);
    let fields = [
        ("architectures", json!([architecture])),
        ("model_type", json!(model_type)),
        ("num_channels", json!(3)),
        ("image_size", json!(image_size)),
        ("patch_size", json!(config.patch_size)),
        ("hidden_size", json!(config.hidden_size)),
        ("num_hidden_layers", json!(config.num_layers)),
        ("num_attention_heads", json!(config.num_heads)),
        ("mlp_ratio", json!(config.mlp_ratio)),
        ("use_swiglu_ffn", json!(config.swiglu)),
        ("hidden_act", json!("gelu")),
        ("layer_norm_eps", json!(config.layer_norm_eps)),
    ];
    // With registers there is always one.
    let own = if has_registers {
        ("num_register_tokens", json!(config.num_registers))
    } else {
        ("use_mask_token", json!(false))
    };
    let select = match config.select {
        Select::Patch => "default",
        Select::ClsPatch => "full",
    };
    // transformers' LLaVA would take the registers for patches.
    let outer = [
        ("vision_feature_layer", json!(config.layer)),
        ("vision_feature_select_strategy", json!(select)),
    ];
    let outer = outer.into_iter().filter(|_| !has_registers);
    HfParts::new(fields.into_iter().chain([own]), outer)
}
