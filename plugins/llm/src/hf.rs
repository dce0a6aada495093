//! What a Hugging Face `config.json` says of a decoder, read and written.

use menagerie_core::BuildError;
use menagerie_core::hf::HfConfig;
use menagerie_core::nn::Activation;
use serde_json::{Map, Value, json};

use crate::hf_rope;
use crate::shape::Shape;

/// What transformers assumes of fields that a config leaves out and that differ from model to model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub vocab_size: i64,
    pub hidden_size: i64,
    pub intermediate_size: i64,
    pub num_layers: i64,
    pub num_heads: i64,
    /// None: as many as there are heads.
    pub num_kv_heads: Option<i64>,
    pub max_position_embeddings: i64,
    /// The name of the field, which is also the option's, and its default.
    pub norm_eps: (&'static str, f64),
    pub tie_word_embeddings: bool,
    /// The name of the field, and the one value that it may have.
    pub activation: (&'static str, &'static str),
    /// The part of a head's features that turns. None: all of them, and a config cannot say otherwise.
    pub partial_rotary_factor: Option<f64>,
}

/// Those of `LlamaConfig`.
pub(crate) const LLAMA: Defaults = Defaults {
    vocab_size: 32_000,
    hidden_size: 4096,
    intermediate_size: 11_008,
    num_layers: 32,
    num_heads: 32,
    num_kv_heads: None,
    max_position_embeddings: 2048,
    norm_eps: ("rms_norm_eps", 1e-6),
    tie_word_embeddings: false,
    activation: ("hidden_act", "silu"),
    partial_rotary_factor: None,
};

/// Sets the options that the models share.
pub(crate) fn read<'a>(
    plugin: &'static str,
    config: &'a Value,
    defaults: Defaults,
) -> Result<HfConfig<'a>, BuildError> {
    let longest = defaults.max_position_embeddings;
    let (norm_eps, default_eps) = defaults.norm_eps;
    let (field, computed) = defaults.activation;
    let hf = HfConfig::new(plugin, config, "text_config");
    if let Some(activation) = hf.get(field)
        && activation != computed
    {
        let allowed = format!("the activation is {computed:?}");
        return Err(hf.unsupported(field, field, activation, &allowed));
    }
    let mut hf = hf
        .set("vocab_size", &["vocab_size"], defaults.vocab_size)?
        .set("hidden_size", &["hidden_size"], defaults.hidden_size)?
        .set(
            "intermediate_size",
            &["intermediate_size"],
            defaults.intermediate_size,
        )?
        .set("num_layers", &["num_hidden_layers"], defaults.num_layers)?
        .set("num_heads", &["num_attention_heads"], defaults.num_heads)?
        .set(norm_eps, &[norm_eps], default_eps)?
        .set(
            "max_position_embeddings",
            &["max_position_embeddings"],
            longest,
        )?
        .set(
            "tie_word_embeddings",
            &["tie_word_embeddings"],
            defaults.tie_word_embeddings,
        )?;
    if let Some(default) = defaults.num_kv_heads {
        hf = hf.set("num_kv_heads", &["num_key_value_heads"], default)?;
    } else if hf.get("num_key_value_heads").is_some() {
        hf = hf.set("num_kv_heads", &["num_key_value_heads"], 0)?;
    }
    if hf.get("head_dim").is_some() {
        hf = hf.set("head_dim", &["head_dim"], 0)?;
    }
    hf_rope::read(hf, longest, defaults.partial_rotary_factor)
}

/// The fields that the models share, `head_dim` only if it is stated.
pub(crate) fn fields(
    model_type: &str,
    architecture: &str,
    shape: &Shape,
    head_dim: Option<usize>,
) -> Map<String, Value> {
    let (norm_eps, eps) = shape.norm_eps;
    let activation = match (shape.variant.activation, model_type) {
        (Activation::Silu, _) => "silu",
        // Both names are of one function: GPT-2's own, and PyTorch's.
        (Activation::GeluTanh, "phi") => "gelu_new",
        (Activation::GeluTanh, _) => "gelu_pytorch_tanh",
        (Activation::Gelu, _) => "gelu",
        (Activation::QuickGelu, _) => "quick_gelu",
    };
    let fields = json!({
        "architectures": [architecture],
        "model_type": model_type,
        "hidden_act": activation,
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_kv_heads,
        norm_eps: eps,
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
    if let Some(factor) = shape.variant.partial_rotary_factor {
        fields.insert("partial_rotary_factor".to_owned(), factor.into());
    }
    fields
}
