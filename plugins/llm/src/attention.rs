//! Causal attention with rotary positions and grouped queries.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::{Linear, RmsNorm, join_heads, split_heads};
use menagerie_core::{Attend, Context};

use crate::rotary::Rotary;
use crate::shape::Shape;

/// Attention of one block.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    /// Over the features of each head, as Qwen3 has it.
    query_norm: Option<RmsNorm>,
    key_norm: Option<RmsNorm>,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    kv_heads: usize,
    #[module(skip)]
    attend: Attend,
}

impl Attention {
    pub(crate) fn new(shape: &Shape, index: usize, device: &Device) -> Self {
        let hidden = shape.hidden_size;
        let queries = shape.num_heads * shape.head_dim;
        let keys = shape.num_kv_heads * shape.head_dim;
        let linear = |input, output, bias| shape.linear(input, output, bias, device);
        let norm = || {
            let norm = RmsNorm::new(shape.head_dim, shape.norm_eps.1, device);
            shape.variant.qk_norm.then_some(norm)
        };
        Self {
            query: linear(hidden, queries, shape.biases.query_key_value),
            key: linear(hidden, keys, shape.biases.query_key_value),
            value: linear(hidden, keys, shape.biases.query_key_value),
            output: linear(queries, hidden, shape.biases.attention_output),
            query_norm: norm(),
            key_norm: norm(),
            heads: shape.num_heads,
            kv_heads: shape.num_kv_heads,
            attend: shape.attend(index),
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
        let normed = |norm: &Option<RmsNorm>, x| match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        (
            rotary.turn(normed(&self.query_norm, query)),
            rotary.turn(normed(&self.key_norm, key)),
        )
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
        let attend = self.attend.rounded(self.query.rounds());
        let attended = context.attend(index, query, key, value, attend);
        self.output.forward(join_heads(attended))
    }
}
