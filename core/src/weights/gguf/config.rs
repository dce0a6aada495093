//! A GGUF file's metadata as the fields of a Hugging Face `config.json`.

use serde_json::{Map, Value};

use super::{FromValue, Gguf};
use crate::weights::WeightError;

/// The architectures whose metadata is known; each is also transformers' `model_type`.
pub(super) const ARCHITECTURES: [&str; 2] = ["llama", "qwen2"];

/// What llama.cpp assumes where a file does not say (`llama_hparams` in `llama-hparams.h`).
const DEFAULT_ROPE_THETA: f64 = 10_000.0;

impl Gguf {
    /// The metadata of an architecture `llama` or `qwen2` as the fields of a `config.json`, in the
    /// spelling of transformers 5 (`rope_parameters`).
    ///
    /// Frequencies that a tensor `rope_freqs.weight` divides one by one (Llama 3.1's) become
    /// `rope_parameters = {"rope_type": "factors", "factors": […]}`, which transformers does not
    /// have: there the factors are computed anew. Without a tensor `output.weight` the embedding
    /// table serves as the output layer.
    ///
    /// # Errors
    /// Another architecture, metadata that is missing or of another kind, or a feature that the
    /// two decoders do not have: experts, partial rotation, sizes that differ from layer to layer.
    pub fn hf_config(&self) -> Result<Value, WeightError> {
        let architecture: &str = self.require("general.architecture")?;
        if !ARCHITECTURES.contains(&architecture) {
            return Err(self.invalid(format!(
                "its architecture is `{architecture}`; known are {}",
                ARCHITECTURES.join(", ")
            )));
        }
        let fields = Fields {
            gguf: self,
            architecture,
        };
        fields.config()
    }
}

/// The metadata under `ARCHITECTURE.`.
struct Fields<'g> {
    gguf: &'g Gguf,
    architecture: &'g str,
}

impl<'g> Fields<'g> {
    fn key(&self, field: &str) -> String {
        format!("{}.{field}", self.architecture)
    }

    fn get<T: FromValue<'g>>(&self, field: &str) -> Result<Option<T>, WeightError> {
        self.gguf.get(&self.key(field))
    }

    fn require<T: FromValue<'g>>(&self, field: &str) -> Result<T, WeightError> {
        self.gguf.require(&self.key(field))
    }

    /// A float as the config had it that was converted: metadata is f32, and the shortest decimal
    /// that gives it is what was written.
    fn float(&self, field: &str) -> Result<Option<f64>, WeightError> {
        let value: Option<f64> = self.get(field)?;
        #[expect(clippy::cast_possible_truncation, reason = "it was an f32")]
        Ok(value.map(|value| (value as f32).to_string().parse().unwrap_or(value)))
    }

    fn config(&self) -> Result<Value, WeightError> {
        if let Some(experts @ 1..) = self.get::<usize>("expert_count")? {
            return Err(self.gguf.invalid(format!(
                "it is a mixture of {experts} experts, which `{}` here is not",
                self.architecture
            )));
        }
        let hidden_size: usize = self.require("embedding_length")?;
        let heads: usize = self.require("attention.head_count")?;
        let kv_heads = self.get("attention.head_count_kv")?.unwrap_or(heads);
        let mut config = Map::new();
        let mut set = |field: &str, value: Value| config.insert(field.to_owned(), value);
        set("model_type", self.architecture.into());
        set("vocab_size", self.vocab_size()?.into());
        set("hidden_size", hidden_size.into());
        set(
            "num_hidden_layers",
            self.require::<usize>("block_count")?.into(),
        );
        set(
            "intermediate_size",
            self.require::<usize>("feed_forward_length")?.into(),
        );
        set("num_attention_heads", heads.into());
        set("num_key_value_heads", kv_heads.into());
        let head_dim = self.head_dim(hidden_size, heads)?;
        set("head_dim", head_dim.into());
        let key = "attention.layer_norm_rms_epsilon";
        let epsilon = self.float(key)?.map_or_else(|| self.require(key), Ok)?;
        set("rms_norm_eps", epsilon.into());
        set(
            "max_position_embeddings",
            self.require::<usize>("context_length")?.into(),
        );
        set("rope_parameters", self.rope(head_dim)?);
        set(
            "tie_word_embeddings",
            self.gguf.shards.get("output.weight").is_none().into(),
        );
        Ok(Value::Object(config))
    }

    /// Rows of the embedding table; a vocabulary may name fewer or more.
    fn vocab_size(&self) -> Result<usize, WeightError> {
        if let Some(embedding) = self.gguf.shards.get("token_embd.weight")
            && let &[rows, _] = embedding.shape.as_slice()
        {
            return Ok(rows);
        }
        if let Some(size) = self.get("vocab_size")? {
            return Ok(size);
        }
        let tokens: &[String] = self.gguf.require("tokenizer.ggml.tokens")?;
        Ok(tokens.len())
    }

    fn head_dim(&self, hidden_size: usize, heads: usize) -> Result<usize, WeightError> {
        let head_dim = match self.get("attention.key_length")? {
            Some(head_dim) => head_dim,
            None => hidden_size.checked_div(heads).ok_or_else(|| {
                let key = self.key("attention.head_count");
                self.gguf.invalid(format!("`{key}` is 0"))
            })?,
        };
        for field in ["attention.value_length", "rope.dimension_count"] {
            if let Some(other) = self.get::<usize>(field)?.filter(|&other| other != head_dim) {
                let key = self.key(field);
                return Err(self.gguf.invalid(format!(
                    "`{key}` is {other} and a head has {head_dim} features, which must be the same"
                )));
            }
        }
        Ok(head_dim)
    }

    /// `rope_parameters`: the base of the frequencies, and how they are scaled.
    fn rope(&self, head_dim: usize) -> Result<Value, WeightError> {
        let theta = self.float("rope.freq_base")?.unwrap_or(DEFAULT_ROPE_THETA);
        let mut rope = self.rope_scaling(head_dim)?;
        rope.insert("rope_theta".to_owned(), theta.into());
        Ok(Value::Object(rope))
    }

    fn rope_scaling(&self, head_dim: usize) -> Result<Map<String, Value>, WeightError> {
        // The key of files of before August 2023.
        let old_factor = self.float("rope.scale_linear")?;
        let factor = self.float("rope.scaling.factor")?.or(old_factor);
        let kind: Option<&str> = self.get("rope.scaling.type")?;
        let kind = kind.unwrap_or(if factor.is_some() { "linear" } else { "none" });
        let mut rope = Map::new();
        let mut set = |field: &str, value: Value| rope.insert(field.to_owned(), value);
        if let Some(factors) = self.factors(head_dim)? {
            if kind != "none" {
                return Err(self.gguf.invalid(format!(
                    "it has a tensor `rope_freqs.weight` and scales by `{kind}` besides, which no known model does"
                )));
            }
            set("rope_type", "factors".into());
            set("factors", factors.into());
            return Ok(rope);
        }
        match kind {
            "none" => {
                set("rope_type", "default".into());
            }
            "linear" | "yarn" => {
                let key = self.key("rope.scaling.factor");
                let factor = factor.ok_or_else(|| {
                    let problem =
                        format!("it scales rotary positions by `{kind}` and has no `{key}`");
                    self.gguf.invalid(problem)
                })?;
                set("rope_type", kind.into());
                set("factor", factor.into());
                if kind == "yarn" {
                    rope.append(&mut self.yarn(factor)?);
                }
            }
            other => {
                return Err(self.gguf.invalid(format!(
                    "it scales rotary positions by `{other}`; known are none, linear, yarn"
                )));
            }
        }
        Ok(rope)
    }

    /// What the scaling `yarn` (arXiv 2309.00071) has beside its factor.
    fn yarn(&self, factor: f64) -> Result<Map<String, Value>, WeightError> {
        for (field, usual) in [("yarn_ext_factor", 1.0), ("yarn_log_multiplier", 0.0)] {
            let field = format!("rope.scaling.{field}");
            if let Some(value) = self.float(&field)?.filter(|value| *value != usual) {
                let key = self.key(&field);
                return Err(self
                    .gguf
                    .invalid(format!("`{key}` is {value}; known is {usual}")));
            }
        }
        let mut yarn = Map::new();
        let mut set = |field: &str, value: Value| yarn.insert(field.to_owned(), value);
        if let Some(trained) = self.get::<usize>("rope.scaling.original_context_length")? {
            set("original_max_position_embeddings", trained.into());
        }
        for name in ["beta_fast", "beta_slow"] {
            if let Some(value) = self.float(&format!("rope.scaling.yarn_{name}"))? {
                set(name, value.into());
            }
        }
        let attention = self.float("rope.scaling.yarn_attn_factor")?;
        let attention = attention.or(self.float("rope.scaling.attn_factor")?);
        if let Some(attention) = attention.filter(|attention| *attention != 1.0) {
            // In llama.cpp it multiplies what transformers' replaces.
            set(
                "attention_factor",
                (attention * (1.0 + 0.1 * factor.ln())).into(),
            );
        }
        Ok(yarn)
    }

    /// What each of the `head_dim / 2` frequencies is divided by.
    fn factors(&self, head_dim: usize) -> Result<Option<Vec<f32>>, WeightError> {
        const NAME: &str = "rope_freqs.weight";
        let Some(entry) = self.gguf.shards.get(NAME) else {
            return Ok(None);
        };
        let data = self.gguf.shards.data(NAME)?;
        match data.try_to_vec::<f32>() {
            Ok(factors) if factors.len() == head_dim / 2 => Ok(Some(factors)),
            _ => Err(self.gguf.invalid(format!(
                "`{NAME}` has shape {:?} of {:?}, where f32 [{}] is wanted",
                entry.shape,
                data.dtype(),
                head_dim / 2
            ))),
        }
    }
}
