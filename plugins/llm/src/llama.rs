//! `llama`: the decoder of LLaMA, Llama 2 and Vicuna (Touvron et al. 2023, arXiv 2302.13971 and
//! 2307.09288), as Hugging Face's `LlamaForCausalLM` computes it.

use burn::module::{Module, Param};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Int, Tensor};
use menagerie_core::hf::HfConfig;
use menagerie_core::nn::{INITIALIZER_RANGE, Linear, join_heads, normal, split_heads};
use menagerie_core::{
    BuildError, Checkpoint, Context, Decoder, DecoderConfig, DecoderSpec, TensorName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::norm::RmsNorm;
use crate::rotary::Rotary;

/// The decoder of LLaMA, Llama 2 and Vicuna (arXiv 2302.13971, 2307.09288).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LlamaConfig {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside a block's MLP.
    pub intermediate_size: usize,
    /// Transformer blocks.
    pub num_layers: usize,
    /// Attention heads of a block.
    pub num_heads: usize,
    /// Heads of keys and values; fewer than `num_heads` is grouped-query attention.
    /// Default: `num_heads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_kv_heads: Option<usize>,
    /// Features of a head. Default: `hidden_size / num_heads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Base of the rotary frequencies.
    #[serde(default = "default_rope_theta")]
    pub rope_theta: f64,
    /// Added to the mean square in norms.
    #[serde(default = "default_rms_norm_eps")]
    pub rms_norm_eps: f64,
    /// Longest sequence, in tokens.
    #[serde(default = "default_max_position_embeddings")]
    pub max_position_embeddings: usize,
    /// Whether the output layer is the embedding table.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Standard deviation of weights that are drawn and not loaded.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f64,
}

fn default_initializer_range() -> f64 {
    INITIALIZER_RANGE
}

fn default_rope_theta() -> f64 {
    10_000.0
}

fn default_rms_norm_eps() -> f64 {
    1e-5
}

fn default_max_position_embeddings() -> usize {
    4096
}

impl LlamaConfig {
    /// Vicuna v1.5, which is Llama 2's shape.
    fn vicuna(
        hidden_size: usize,
        intermediate_size: usize,
        num_layers: usize,
        num_heads: usize,
    ) -> Self {
        Self {
            vocab_size: 32_000,
            hidden_size,
            intermediate_size,
            num_layers,
            num_heads,
            num_kv_heads: None,
            head_dim: None,
            rope_theta: default_rope_theta(),
            rms_norm_eps: default_rms_norm_eps(),
            max_position_embeddings: default_max_position_embeddings(),
            tie_word_embeddings: false,
            initializer_range: default_initializer_range(),
        }
    }

    fn linear(&self, input: usize, output: usize, device: &Device) -> Linear {
        Linear::with_std(input, output, false, self.initializer_range, device)
    }

    fn kv_heads(&self) -> usize {
        self.num_kv_heads.unwrap_or(self.num_heads)
    }

    fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_heads)
    }

    fn check(&self) -> Result<(), BuildError> {
        let invalid = |key, message: String| Err(BuildError::invalid(Self::NAME, key, message));
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_layers", self.num_layers),
            ("num_heads", self.num_heads),
            ("num_kv_heads", self.num_kv_heads.unwrap_or(1)),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        for (key, size) in sizes {
            if size == 0 {
                return invalid(key, "must be at least 1".to_owned());
            }
        }
        if self.head_dim.is_none() && !self.hidden_size.is_multiple_of(self.num_heads) {
            let heads = self.num_heads;
            return invalid(
                "hidden_size",
                format!("{} is no multiple of num_heads = {heads}", self.hidden_size),
            );
        }
        if self.head_dim() == 0 || !self.head_dim().is_multiple_of(2) {
            return invalid(
                "head_dim",
                format!(
                    "{} is not even, and rotary pairs its features",
                    self.head_dim()
                ),
            );
        }
        if !self.num_heads.is_multiple_of(self.kv_heads()) {
            let kv_heads = self.kv_heads();
            return invalid(
                "num_heads",
                format!(
                    "{} is no multiple of num_kv_heads = {kv_heads}",
                    self.num_heads
                ),
            );
        }
        Ok(())
    }
}

impl DecoderConfig for LlamaConfig {
    type Decoder = Llama;
    const NAME: &'static str = "llama";
    const MODEL_TYPES: &'static [&'static str] = &["llama"];

    fn tiny() -> Self {
        Self {
            vocab_size: 29,
            num_kv_heads: Some(2),
            max_position_embeddings: 64,
            ..Self::vicuna(24, 40, 2, 6)
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![
            ("vicuna-7b", Self::vicuna(4096, 11_008, 32, 32)),
            ("vicuna-13b", Self::vicuna(5120, 13_824, 40, 40)),
        ]
    }

    fn spec(&self) -> Result<DecoderSpec, BuildError> {
        self.check()?;
        Ok(DecoderSpec {
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            max_position_embeddings: self.max_position_embeddings,
            num_layers: self.num_layers,
            num_kv_heads: self.kv_heads(),
            head_dim: self.head_dim(),
        })
    }

    fn init(&self, device: &Device) -> Result<Llama, BuildError> {
        self.check()?;
        Ok(Llama {
            embed_tokens: normal(self.initializer_range)
                .init([self.vocab_size, self.hidden_size], device),
            layers: (0..self.num_layers)
                .map(|_| Block::new(self, device))
                .collect(),
            norm: RmsNorm::new(self.hidden_size, self.rms_norm_eps, device),
            lm_head: (!self.tie_word_embeddings)
                .then(|| self.linear(self.hidden_size, self.vocab_size, device)),
            head_dim: self.head_dim(),
            rope_theta: self.rope_theta,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut tensors = vec![TensorName::as_is(
            "embed_tokens",
            "model.embed_tokens.weight",
        )];
        let mut layer = |path: &str, key: &str| {
            tensors.extend(TensorName::linear(
                &format!("layers.*.{path}"),
                &format!("model.layers.*.{key}"),
            ));
        };
        layer("attention.query", "self_attn.q_proj");
        layer("attention.key", "self_attn.k_proj");
        layer("attention.value", "self_attn.v_proj");
        layer("attention.output", "self_attn.o_proj");
        layer("mlp.gate", "mlp.gate_proj");
        layer("mlp.up", "mlp.up_proj");
        layer("mlp.down", "mlp.down_proj");
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            tensors.push(TensorName::as_is(
                &format!("layers.*.{norm}.gamma"),
                &format!("model.layers.*.{norm}.weight"),
            ));
        }
        tensors.push(TensorName::as_is("norm.gamma", "model.norm.weight"));
        tensors.extend(TensorName::linear("lm_head", "lm_head"));
        // A tied model's file may hold its head all the same; it is the embedding table.
        let ignored: &[&str] = if self.tie_word_embeddings {
            &[
                "model.layers.*.self_attn.rotary_emb.inv_freq",
                "lm_head.weight",
            ]
        } else {
            &["model.layers.*.self_attn.rotary_emb.inv_freq"]
        };
        Checkpoint::with_prefixes(&[""], &tensors, ignored)
    }

    /// Field names and defaults of transformers' `LlamaConfig`. Version 5 writes `rope_theta` into
    /// `rope_parameters`.
    fn from_hf(config: &serde_json::Value) -> Result<toml::Table, BuildError> {
        let mut hf = HfConfig::new(Self::NAME, config, "text_config")
            .set("vocab_size", &["vocab_size"], 32_000)?
            .set("hidden_size", &["hidden_size"], 4096)?
            .set("intermediate_size", &["intermediate_size"], 11_008)?
            .set("num_layers", &["num_hidden_layers"], 32)?
            .set("num_heads", &["num_attention_heads"], 32)?
            .set("rms_norm_eps", &["rms_norm_eps"], 1e-6)?
            .set(
                "max_position_embeddings",
                &["max_position_embeddings"],
                2048,
            )?
            .set("tie_word_embeddings", &["tie_word_embeddings"], false)?;
        if hf.get("num_key_value_heads").is_some() {
            hf = hf.set("num_kv_heads", &["num_key_value_heads"], 0)?;
        }
        if hf.get("head_dim").is_some() {
            hf = hf.set("head_dim", &["head_dim"], 0)?;
        }
        let rope = hf.get("rope_parameters").or(hf.get("rope_scaling"));
        let kind = rope.and_then(|rope| rope.get("rope_type").or(rope.get("type")));
        if let Some(kind) = kind
            .and_then(|kind| kind.as_str())
            .filter(|kind| *kind != "default")
        {
            let message = format!(
                "config.json scales rotary positions by `{kind}`, which is not supported yet"
            );
            return Err(BuildError::invalid(Self::NAME, "rope_theta", message));
        }
        let nested = rope
            .and_then(|rope| rope.get("rope_theta"))
            .and_then(serde_json::Value::as_f64);
        let theta = nested.unwrap_or_else(default_rope_theta);
        Ok(hf.set("rope_theta", &["rope_theta"], theta)?.into_options())
    }
}

menagerie_core::register_decoder!(LlamaConfig);

/// LLaMA's decoder.
#[derive(Module, Debug)]
pub struct Llama {
    /// `[vocab, hidden]`
    embed_tokens: Param<Tensor<2>>,
    layers: Vec<Block>,
    norm: RmsNorm,
    /// None: the embedding table serves as the output layer.
    lm_head: Option<Linear>,
    #[module(skip)]
    head_dim: usize,
    #[module(skip)]
    rope_theta: f64,
}

impl Decoder for Llama {
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        burn::tensor::module::embedding(self.embed_tokens.val(), ids)
    }

    fn forward(&self, embeds: Tensor<3>, context: &mut Context) -> Tensor<3> {
        let rotary = Rotary::new(
            context.positions(),
            self.head_dim,
            self.rope_theta,
            embeds.dtype(),
        );
        let mut hidden = embeds;
        for (index, block) in self.layers.iter().enumerate() {
            hidden = block.forward(hidden, &rotary, index, context);
        }
        self.norm.forward(hidden)
    }

    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        match &self.lm_head {
            Some(head) => head.forward(hidden),
            None => hidden.matmul(self.embed_tokens.val().transpose().unsqueeze()),
        }
    }
}

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Module, Debug)]
struct Block {
    input_layernorm: RmsNorm,
    attention: Attention,
    post_attention_layernorm: RmsNorm,
    mlp: Mlp,
}

impl Block {
    fn new(config: &LlamaConfig, device: &Device) -> Self {
        let norm = || RmsNorm::new(config.hidden_size, config.rms_norm_eps, device);
        Self {
            input_layernorm: norm(),
            attention: Attention::new(config, device),
            post_attention_layernorm: norm(),
            mlp: Mlp::new(config, device),
        }
    }

    /// `[batch, token, hidden]` -> the same
    fn forward(
        &self,
        x: Tensor<3>,
        rotary: &Rotary,
        index: usize,
        context: &mut Context,
    ) -> Tensor<3> {
        let normed = self.input_layernorm.forward(x.clone());
        let x = x + self.attention.forward(normed, rotary, index, context);
        x.clone() + self.mlp.forward(self.post_attention_layernorm.forward(x))
    }
}

/// Causal attention with rotary positions and grouped queries.
#[derive(Module, Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    kv_heads: usize,
    #[module(skip)]
    scale: f64,
}

impl Attention {
    fn new(config: &LlamaConfig, device: &Device) -> Self {
        let (heads, kv_heads, head_dim) = (config.num_heads, config.kv_heads(), config.head_dim());
        let linear = |input, output| config.linear(input, output, device);
        Self {
            query: linear(config.hidden_size, heads * head_dim),
            key: linear(config.hidden_size, kv_heads * head_dim),
            value: linear(config.hidden_size, kv_heads * head_dim),
            output: linear(heads * head_dim, config.hidden_size),
            heads,
            kv_heads,
            scale: (head_dim as f64).powf(-0.5),
        }
    }

    /// Queries and keys, turned: `[batch, heads or kv_heads, token, head_dim]`
    fn queries_and_keys(&self, x: &Tensor<3>, rotary: &Rotary) -> (Tensor<4>, Tensor<4>) {
        let query = split_heads(self.query.forward(x.clone()), self.heads);
        let key = split_heads(self.key.forward(x.clone()), self.kv_heads);
        (rotary.turn(query), rotary.turn(key))
    }

    /// `[batch, token, hidden]` -> the same
    fn forward(
        &self,
        x: Tensor<3>,
        rotary: &Rotary,
        index: usize,
        context: &mut Context,
    ) -> Tensor<3> {
        let (query, key) = self.queries_and_keys(&x, rotary);
        let value = split_heads(self.value.forward(x), self.kv_heads);
        let attended = context.attend(index, query, key, value, self.scale);
        self.output.forward(join_heads(attended))
    }
}

/// `down(silu(gate(x)) · up(x))` (SwiGLU, arXiv 2002.05202).
#[derive(Module, Debug)]
struct Mlp {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Mlp {
    fn new(config: &LlamaConfig, device: &Device) -> Self {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        Self {
            gate: config.linear(hidden, intermediate, device),
            up: config.linear(hidden, intermediate, device),
            down: config.linear(intermediate, hidden, device),
        }
    }

    /// `[batch, token, hidden]` -> the same
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.down
            .forward(silu(self.gate.forward(x.clone())) * self.up.forward(x))
    }
}

#[cfg(test)]
mod tests;
