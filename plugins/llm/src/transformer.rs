//! The decoder that LLaMA (Touvron et al. 2023, arXiv 2302.13971) and its kin share: pre-norm blocks
//! of rotary attention and SwiGLU.

use burn::module::{Module, Param};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Int, Tensor};
use menagerie_core::nn::{Linear, join_heads, normal, split_heads};
use menagerie_core::{Context, Decoder, DecoderBlocks};

use crate::norm::RmsNorm;
use crate::rope::Rope;
use crate::rotary::Rotary;
use crate::shape::Shape;

/// A decoder of LLaMA's make.
#[derive(Module, Debug)]
pub struct Transformer {
    /// `[vocab, hidden]`
    embed_tokens: Param<Tensor<2>>,
    pub(crate) layers: Vec<Block>,
    pub(crate) norm: RmsNorm,
    /// None: the embedding table serves as the output layer.
    lm_head: Option<Linear>,
    #[module(skip)]
    pub(crate) rope: Rope,
}

impl Transformer {
    pub(crate) fn new(shape: &Shape, device: &Device) -> Self {
        Self {
            embed_tokens: normal(shape.initializer_range)
                .init([shape.vocab_size, shape.hidden_size], device),
            layers: (0..shape.num_layers)
                .map(|_| Block::new(shape, device))
                .collect(),
            norm: RmsNorm::new(shape.hidden_size, shape.rms_norm_eps, device),
            lm_head: (!shape.tie_word_embeddings)
                .then(|| linear(shape, shape.hidden_size, shape.vocab_size, false, device)),
            rope: shape.rope(),
        }
    }
}

impl Decoder for Transformer {
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        burn::tensor::module::embedding(self.embed_tokens.val(), ids)
    }

    fn forward(&self, embeds: Tensor<3>, context: &mut Context) -> Tensor<3> {
        self.run(embeds, &mut |index, hidden| {
            self.block(index, hidden, context)
        })
    }

    fn blocks(&self) -> Option<&dyn DecoderBlocks> {
        Some(self)
    }

    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        match &self.lm_head {
            Some(head) => head.forward(hidden),
            None => hidden.matmul(self.embed_tokens.val().transpose().unsqueeze()),
        }
    }
}

impl DecoderBlocks for Transformer {
    fn count(&self) -> usize {
        self.layers.len()
    }

    fn block(&self, index: usize, hidden: Tensor<3>, context: &mut Context) -> Tensor<3> {
        let dtype = hidden.dtype();
        let rotary = context.shared(|context| self.rope.rotary(context.positions(), dtype));
        self.layers[index].forward(hidden, &rotary, index, context)
    }

    fn finish(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.norm.forward(hidden)
    }
}

fn linear(shape: &Shape, input: usize, output: usize, bias: bool, device: &Device) -> Linear {
    Linear::with_std(input, output, bias, shape.initializer_range, device)
}

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Module, Debug)]
pub(crate) struct Block {
    pub input_layernorm: RmsNorm,
    pub attention: Attention,
    pub post_attention_layernorm: RmsNorm,
    pub mlp: Mlp,
}

impl Block {
    fn new(shape: &Shape, device: &Device) -> Self {
        let norm = || RmsNorm::new(shape.hidden_size, shape.rms_norm_eps, device);
        Self {
            input_layernorm: norm(),
            attention: Attention::new(shape, device),
            post_attention_layernorm: norm(),
            mlp: Mlp::new(shape, device),
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(crate) fn forward(
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
pub(crate) struct Attention {
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
    fn new(shape: &Shape, device: &Device) -> Self {
        let hidden = shape.hidden_size;
        let queries = shape.num_heads * shape.head_dim;
        let keys = shape.num_kv_heads * shape.head_dim;
        let linear = |input, output, bias| linear(shape, input, output, bias, device);
        Self {
            query: linear(hidden, queries, shape.biases.query_key_value),
            key: linear(hidden, keys, shape.biases.query_key_value),
            value: linear(hidden, keys, shape.biases.query_key_value),
            output: linear(queries, hidden, shape.biases.attention_output),
            heads: shape.num_heads,
            kv_heads: shape.num_kv_heads,
            scale: (shape.head_dim as f64).powf(-0.5),
        }
    }

    /// Queries and keys, turned: `[batch, heads or kv_heads, token, head_dim]`
    pub(crate) fn queries_and_keys(
        &self,
        x: &Tensor<3>,
        rotary: &Rotary,
    ) -> (Tensor<4>, Tensor<4>) {
        let query = split_heads(self.query.forward(x.clone()), self.heads);
        let key = split_heads(self.key.forward(x.clone()), self.kv_heads);
        (rotary.turn(query), rotary.turn(key))
    }

    /// `[batch, token, hidden]` -> the same
    pub(crate) fn forward(
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
pub(crate) struct Mlp {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Mlp {
    fn new(shape: &Shape, device: &Device) -> Self {
        let (hidden, intermediate) = (shape.hidden_size, shape.intermediate_size);
        let linear = |input, output| linear(shape, input, output, shape.biases.mlp, device);
        Self {
            gate: linear(hidden, intermediate),
            up: linear(hidden, intermediate),
            down: linear(intermediate, hidden),
        }
    }

    /// `[batch, token, hidden]` -> the same
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.down
            .forward(silu(self.gate.forward(x.clone())) * self.up.forward(x))
    }
}
