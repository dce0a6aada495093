//! How a Hugging Face `config.json` states rotary positions. Version 5 of transformers writes
//! `rope_parameters`; older ones `rope_theta` and `rope_scaling`, which version 5 reads as well.

use menagerie_core::BuildError;
use menagerie_core::hf::HfConfig;
use serde_json::{Map, Value, json};

use crate::rope::{Rope, RopeScaling, default_beta_fast, default_beta_slow, default_truncate};

const ALLOWED: &str = "it may be default, linear, dynamic, llama3, yarn, longrope or factors";

/// What transformers assumes where a config says nothing (`default_theta`).
const DEFAULT_THETA: f64 = 10_000.0;

/// Sets `rope_theta` and `rope_scaling`. `longest` stands for an absent `max_position_embeddings`.
/// With `partial` sets `partial_rotary_factor` too, to that where it is absent; without it a factor
/// other than 1 is an error.
pub(crate) fn read(
    hf: HfConfig<'_>,
    longest: i64,
    partial: Option<f64>,
) -> Result<HfConfig<'_>, BuildError> {
    for field in ["rope_scaling", "rope_parameters"] {
        if let Some(value) = hf.get(field).filter(|value| !value.is_object()) {
            return Err(hf.unsupported("rope_scaling", field, value, "it is a table"));
        }
    }
    let nothing = Map::new();
    let (field, table) = ["rope_scaling", "rope_parameters"]
        .into_iter()
        .filter_map(|field| Some((field, hf.get(field)?.as_object()?)))
        .find(|(_, table)| !table.is_empty())
        .unwrap_or(("rope_parameters", &nothing));
    let fields = Fields {
        hf: &hf,
        field,
        table,
    };
    let outer = match hf.get("rope_theta") {
        Some(theta) => theta
            .as_f64()
            .ok_or_else(|| hf.unsupported("rope_theta", "rope_theta", theta, "it is a number"))?,
        None => DEFAULT_THETA,
    };
    let theta = fields.number("rope_theta")?.unwrap_or(outer);
    if let Some((key, value)) = table.iter().find(|(_, value)| value.is_object()) {
        let allowed = "all layers must turn alike";
        return Err(hf.unsupported("rope_scaling", &format!("{field}.{key}"), value, allowed));
    }
    let factor = match fields.number("partial_rotary_factor")? {
        Some(factor) => Some(factor),
        None => match hf.get("partial_rotary_factor") {
            None => None,
            Some(factor) => Some(factor.as_f64().ok_or_else(|| {
                let key = "partial_rotary_factor";
                hf.unsupported(key, key, factor, "it is a number")
            })?),
        },
    };
    if let (None, Some(factor)) = (partial, factor.filter(|factor| *factor != 1.0)) {
        let allowed = "all features of a head must turn";
        let factor = json!(factor);
        return Err(hf.unsupported("rope_scaling", "partial_rotary_factor", &factor, allowed));
    }
    let scaling = fields.scaling(longest)?;
    let mut hf = hf.with("rope_theta", theta);
    if let Some(default) = partial {
        hf = hf.with("partial_rotary_factor", factor.unwrap_or(default));
    }
    Ok(match scaling {
        None => hf,
        Some(scaling) => {
            let value = toml::Value::try_from(scaling).expect("numbers and lists are TOML");
            hf.with("rope_scaling", value)
        }
    })
}

struct Fields<'f, 'a> {
    hf: &'f HfConfig<'a>,
    /// The name of the table.
    field: &'static str,
    table: &'f Map<String, Value>,
}

impl<'f> Fields<'f, '_> {
    fn get(&self, key: &str) -> Option<&'f Value> {
        self.table.get(key).filter(|value| !value.is_null())
    }

    fn error(&self, key: &str, allowed: &str) -> BuildError {
        let value = self.table.get(key).unwrap_or(&Value::Null);
        let field = format!("{}.{key}", self.field);
        self.hf.unsupported("rope_scaling", &field, value, allowed)
    }

    fn number(&self, key: &str) -> Result<Option<f64>, BuildError> {
        let number = |value: &Value| {
            value
                .as_f64()
                .ok_or_else(|| self.error(key, "it is a number"))
        };
        self.get(key).map(number).transpose()
    }

    fn required(&self, key: &str) -> Result<f64, BuildError> {
        self.number(key)?
            .ok_or_else(|| self.error(key, "it must be stated"))
    }

    /// A number for which transformers takes 0 as not stated.
    fn number_or(&self, key: &str, default: f64) -> Result<f64, BuildError> {
        Ok(self
            .number(key)?
            .filter(|&number| number != 0.0)
            .unwrap_or(default))
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, BuildError> {
        let flag = |value: &Value| {
            value
                .as_bool()
                .ok_or_else(|| self.error(key, "it is a boolean"))
        };
        self.get(key).map_or(Ok(default), flag)
    }

    fn numbers(&self, key: &str) -> Option<Vec<f64>> {
        let items = self.get(key)?.as_array()?;
        items.iter().map(Value::as_f64).collect()
    }

    fn scaling(&self, longest: i64) -> Result<Option<RopeScaling>, BuildError> {
        let kind = match self.get("rope_type").or(self.get("type")) {
            None => return Ok(None),
            Some(kind) => kind.as_str().unwrap_or_default(),
        };
        let longest = match self.hf.get("max_position_embeddings") {
            Some(stated) => stated.as_u64(),
            None => u64::try_from(longest).ok(),
        };
        let original = || {
            let key = "original_max_position_embeddings";
            let stated = self.hf.get(key).or(self.get(key));
            let tokens = stated.map_or(longest, Value::as_u64);
            tokens
                .and_then(|tokens| usize::try_from(tokens).ok())
                .ok_or_else(|| self.error(key, "it is a whole number"))
        };
        let scaling = match kind {
            "default" => return Ok(None),
            "linear" => RopeScaling::Linear {
                factor: self.required("factor")?,
            },
            "dynamic" => RopeScaling::Dynamic {
                factor: self.required("factor")?,
            },
            "llama3" => RopeScaling::Llama3 {
                factor: self.required("factor")?,
                low_freq_factor: self.required("low_freq_factor")?,
                high_freq_factor: self.required("high_freq_factor")?,
                original_max_position_embeddings: original()?,
            },
            // Early files of Phi-3 call it `su` or `yarn`.
            "longrope" | "su" => self.longrope()?,
            "yarn" if self.get("long_factor").is_some() => self.longrope()?,
            "yarn" => {
                let original = original()?;
                // DeepSeek's configs leave the factor to the two lengths.
                let ratio = longest.unwrap_or_default() as f64 / original as f64;
                RopeScaling::Yarn {
                    factor: self.number("factor")?.unwrap_or(ratio),
                    original_max_position_embeddings: original,
                    beta_fast: self.number_or("beta_fast", default_beta_fast())?,
                    beta_slow: self.number_or("beta_slow", default_beta_slow())?,
                    attention_factor: self.number("attention_factor")?,
                    mscale: self.number("mscale")?,
                    mscale_all_dim: self.number("mscale_all_dim")?,
                    truncate: self.flag("truncate", default_truncate())?,
                }
            }
            // Not transformers' but what a GGUF file's metadata becomes.
            "factors" => RopeScaling::Factors {
                factors: self
                    .numbers("factors")
                    .ok_or_else(|| self.error("factors", "it is a list of numbers"))?,
            },
            other => return Err(self.unknown(other)),
        };
        Ok(Some(scaling))
    }

    fn unknown(&self, kind: &str) -> BuildError {
        let field = format!("{}.rope_type", self.field);
        self.hf
            .unsupported("rope_scaling", &field, &kind.into(), ALLOWED)
    }

    fn longrope(&self) -> Result<RopeScaling, BuildError> {
        let factors = |key: &str| {
            let factors = self.numbers(key);
            factors.ok_or_else(|| self.error(key, "it is a list of numbers"))
        };
        let (short, long) = (factors("short_factor")?, factors("long_factor")?);
        let attention_factor = self.number("attention_factor")?;
        // How `write` states what a GGUF file's metadata became.
        if short == long && attention_factor == Some(1.0) {
            return Ok(RopeScaling::Factors { factors: short });
        }
        let key = "original_max_position_embeddings";
        let original = self.hf.get(key).or(self.get(key));
        let original = original
            .and_then(Value::as_u64)
            .and_then(|tokens| usize::try_from(tokens).ok());
        Ok(RopeScaling::Longrope {
            short_factor: short,
            long_factor: long,
            original_max_position_embeddings: original
                .ok_or_else(|| self.error(key, "it must be stated, in tokens"))?,
            factor: self.number("factor")?,
            attention_factor,
        })
    }
}

/// The value of `rope_scaling`, null if there is none. `linear` and `dynamic` are stated as every
/// version of transformers reads them, with `type` and `factor` alone.
pub(crate) fn write(rope: &Rope) -> Value {
    match &rope.scaling {
        None => Value::Null,
        Some(RopeScaling::Linear { factor }) => json!({ "type": "linear", "factor": factor }),
        Some(RopeScaling::Dynamic { factor }) => json!({ "type": "dynamic", "factor": factor }),
        Some(RopeScaling::Factors { factors }) => json!({
            "rope_type": "longrope",
            "short_factor": factors,
            "long_factor": factors,
            "factor": 1.0,
            "attention_factor": 1.0,
            "original_max_position_embeddings": rope.max_position_embeddings,
        }),
        Some(
            scaling @ (RopeScaling::Llama3 { .. }
            | RopeScaling::Yarn { .. }
            | RopeScaling::Longrope { .. }),
        ) => {
            let mut fields = json!(scaling);
            if let Some(fields) = fields.as_object_mut()
                && let Some(kind) = fields.remove("type")
            {
                fields.insert("rope_type".to_owned(), kind);
            }
            fields
        }
    }
}
