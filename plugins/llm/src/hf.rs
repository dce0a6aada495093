//! What a Hugging Face `config.json` says of a decoder of LLaMA's make, read and written.

use menagerie_core::BuildError;
use menagerie_core::hf::HfConfig;
use serde_json::{Map, Value, json};

use crate::hf_rope;
use crate::shape::Shape;

/// What transformers assumes of fields that a config leaves out and that differ from model to model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub vocab_size: i64,
    pub intermediate_size: i64,
    pub max_position_embeddings: i64,
}

/// Sets the options that the models share.
pub(crate) fn read<'a>(
    plugin: &'static str,
    config: &'a Value,
    defaults: Defaults,
) -> Result<HfConfig<'a>, BuildError> {
    let longest = defaults.max_position_embeddings;
    let hf = HfConfig::new(plugin, config, "text_config");
    if let Some(activation) = hf.get("hidden_act")
        && activation != "silu"
    {
        let allowed = "the activation is \"silu\"";
        return Err(hf.unsupported("hidden_act", "hidden_act", activation, allowed));
    }
    let mut hf = hf
        .set("vocab_size", &["vocab_size"], defaults.vocab_size)?
        .set("hidden_size", &["hidden_size"], 4096)?
        .set(
            "intermediate_size",
            &["intermediate_size"],
            defaults.intermediate_size,
        )?
        .set("num_layers", &["num_hidden_layers"], 32)?
        .set("num_heads", &["num_attention_heads"], 32)?
        .set("rms_norm_eps", &["rms_norm_eps"], 1e-6)?
        .set(
            "max_position_embeddings",
            &["max_position_embeddings"],
            longest,
        )?
        .set("tie_word_embeddings", &["tie_word_embeddings"], false)?;
    if hf.get("head_dim").is_some() {
        hf = hf.set("head_dim", &["head_dim"], 0)?;
    }
    hf_rope::read(hf, longest)
}

/// The fields that the models share, `head_dim` only if it is stated.
pub(crate) fn fields(
    model_type: &str,
    architecture: &str,
    shape: &Shape,
    head_dim: Option<usize>,
) -> Map<String, Value> {
    let fields = json!({
        "architectures": [architecture],
        "model_type": model_type,
        "hidden_act": "silu",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_kv_heads,
        "rms_norm_eps": shape.rms_norm_eps,
        "max_position_embeddings": shape.max_position_embeddings,
        "tie_word_embeddings": shape.tie_word_embeddings,
        "rope_theta": shape.rope_theta,
        "rope_scaling": hf_rope::write(&shape.rope()),
    });
    let mut fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    if let Some(head_dim) = head_dim {
        fields.insert("head_dim".to_owned(), head_dim.into());
    }
    fields
}
