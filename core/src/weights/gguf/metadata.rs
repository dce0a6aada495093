//! A Hugging Face `config.json` of a decoder as a GGUF file's metadata: the way back from `config.rs`.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use serde_json::{Map, Value as Json};

use super::config::ARCHITECTURES;
use super::value::Value;

/// What a file says of a decoder beside its weights.
pub(crate) struct DecoderMetadata {
    /// `general.architecture`, and all that it is asked for.
    pub(crate) metadata: BTreeMap<String, Value>,
    /// What each rotary frequency is divided by: the tensor `rope_freqs.weight`.
    pub(crate) factors: Option<Vec<f32>>,
}

/// The metadata of a decoder; nothing if llama.cpp has no such one.
pub(crate) fn decoder_metadata(config: &Map<String, Json>) -> Option<DecoderMetadata> {
    let architecture = config.get("model_type")?.as_str()?;
    let slides = config.get("use_sliding_window").and_then(Json::as_bool);
    if !ARCHITECTURES.contains(&architecture) || slides == Some(true) {
        return None;
    }
    let size = |key: &str| config.get(key)?.as_i64();
    let (hidden, heads) = (size("hidden_size")?, size("num_attention_heads")?);
    let head_dim = size("head_dim").or_else(|| hidden.checked_div(heads))?;
    let theta = config.get("rope_theta")?.as_f64()?;
    let mut metadata = BTreeMap::new();
    let mut set = |key: &str, value: Value| {
        metadata.insert(format!("{architecture}.{key}"), value);
    };
    for (key, size) in [
        ("vocab_size", size("vocab_size")?),
        ("context_length", size("max_position_embeddings")?),
        ("embedding_length", hidden),
        ("block_count", size("num_hidden_layers")?),
        ("feed_forward_length", size("intermediate_size")?),
        ("attention.head_count", heads),
        ("attention.head_count_kv", size("num_key_value_heads")?),
        ("attention.key_length", head_dim),
        ("attention.value_length", head_dim),
        ("rope.dimension_count", head_dim),
    ] {
        set(key, Value::Integer(size));
    }
    let epsilon = config.get("rms_norm_eps")?.as_f64()?;
    set("attention.layer_norm_rms_epsilon", Value::Float(epsilon));
    set("rope.freq_base", Value::Float(theta));
    let mut factors = None;
    match config.get("rope_scaling") {
        None | Some(Json::Null) => {}
        Some(scaling) => match scaling_of(scaling, theta, head_dim)? {
            Scaling::Key { kind, factor } => {
                set("rope.scaling.type", Value::Text(kind.to_owned()));
                set("rope.scaling.factor", Value::Float(factor));
                let trained = scaling.get("original_max_position_embeddings");
                if let Some(tokens) = trained.and_then(Json::as_i64) {
                    let key = "rope.scaling.original_context_length";
                    set(key, Value::Integer(tokens));
                }
            }
            // Only the architecture `llama` has the tensor.
            Scaling::Factors(found) if architecture == "llama" => factors = Some(found),
            Scaling::Factors(_) => return None,
        },
    }
    let name = Value::Text(architecture.to_owned());
    metadata.insert("general.architecture".to_owned(), name);
    Some(DecoderMetadata { metadata, factors })
}

enum Scaling {
    /// A key of the metadata.
    Key { kind: &'static str, factor: f64 },
    /// A tensor.
    Factors(Vec<f32>),
}

fn scaling_of(scaling: &Json, theta: f64, head_dim: i64) -> Option<Scaling> {
    let number = |key: &str| scaling.get(key)?.as_f64();
    let states_only = |known: &[&str]| {
        let fields = scaling.as_object()?.iter();
        let mut stated = fields.filter(|(_, value)| !value.is_null());
        stated
            .all(|(key, _)| known.contains(&key.as_str()))
            .then_some(())
    };
    let kind = scaling.get("rope_type").or_else(|| scaling.get("type"))?;
    match kind.as_str()? {
        "linear" => Some(Scaling::Key {
            kind: "linear",
            factor: number("factor")?,
        }),
        "yarn" => {
            states_only(&["rope_type", "factor", "original_max_position_embeddings"])?;
            Some(Scaling::Key {
                kind: "yarn",
                factor: number("factor")?,
            })
        }
        "llama3" => Some(Scaling::Factors(llama3(
            [
                number("factor")?,
                number("low_freq_factor")?,
                number("high_freq_factor")?,
                number("original_max_position_embeddings")?,
            ],
            theta,
            head_dim,
        ))),
        // How a list of factors is stated, which a GGUF file had: the same for short and for long texts.
        "longrope" if number("attention_factor") == Some(1.0) => {
            let list = scaling.get("short_factor")?;
            let same = Some(list) == scaling.get("long_factor");
            let factors = list.as_array()?.iter().map(Json::as_f64);
            #[expect(clippy::cast_possible_truncation, reason = "the file holds f32")]
            let factors = factors.map(|factor| factor.map(|factor| factor as f32));
            let factors: Option<Vec<f32>> = factors.collect();
            factors.filter(|_| same).map(Scaling::Factors)
        }
        _ => None,
    }
}

/// What Llama 3.1 divides its frequencies by: long waves by all of `factor`, short ones by nothing, and those
/// between by a mixture (`_compute_llama3_parameters` of transformers).
fn llama3([factor, low, high, trained]: [f64; 4], theta: f64, head_dim: i64) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "a head has few features")]
    let frequencies =
        (0..head_dim / 2).map(|pair| theta.powf(-2.0 * pair as f64 / head_dim as f64));
    let factors = frequencies.map(|frequency| {
        let waves = trained * frequency / TAU;
        let part = ((waves - low) / (high - low)).clamp(0.0, 1.0);
        1.0 / ((1.0 - part) / factor + part)
    });
    #[expect(clippy::cast_possible_truncation, reason = "the file holds f32")]
    factors.map(|factor| factor as f32).collect()
}
