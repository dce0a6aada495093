//! The block of Phi-3, whose layers with the same input are one.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::{Activation, Linear, RmsNorm, in_parts, join_heads, split_heads};
use menagerie_core::{Attend, Context};

use crate::names::HfNames;
use crate::rotary::Rotary;
use crate::shape::Shape;
use crate::transformer::{Block, Transformer};

pub(super) const NAMES: HfNames = HfNames {
    linear: &[
        ("attention.query_key_value", "self_attn.qkv_proj"),
        ("attention.output", "self_attn.o_proj"),
        ("mlp.gate_up", "mlp.gate_up_proj"),
        ("mlp.down", "mlp.down_proj"),
    ],
    ..HfNames::LLAMA
};

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Module, Debug)]
pub struct FusedBlock {
    input_layernorm: RmsNorm,
    attention: Attention,
    post_attention_layernorm: RmsNorm,
    mlp: Mlp,
}

impl Transformer<FusedBlock> {
    pub(super) fn fused(shape: &Shape, device: &Device) -> Self {
        let norm = || RmsNorm::new(shape.hidden_size, shape.norm_eps.1, device);
        let block = |index| FusedBlock {
            input_layernorm: norm(),
            attention: Attention::new(shape, index, device),
            post_attention_layernorm: norm(),
            mlp: Mlp::new(shape, device),
        };
        Self::new(shape, block, norm(), device)
    }
}

impl Block for FusedBlock {
    type Norm = RmsNorm;

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

    fn finish(norm: &RmsNorm, x: Tensor<3>) -> Tensor<3> {
        norm.forward(x)
    }
}

/// Attention whose queries, keys and values come out of one layer, in that order.
#[derive(Module, Debug)]
struct Attention {
    query_key_value: Linear,
    output: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    kv_heads: usize,
    #[module(skip)]
    attend: Attend,
}

impl Attention {
    fn new(shape: &Shape, index: usize, device: &Device) -> Self {
        let (heads, kv_heads) = (shape.num_heads, shape.num_kv_heads);
        let linear = |input, output| shape.linear(input, output, false, device);
        let all = (heads + 2 * kv_heads) * shape.head_dim;
        Self {
            query_key_value: linear(shape.hidden_size, all),
            output: linear(heads * shape.head_dim, shape.hidden_size),
            heads,
            kv_heads,
            attend: shape.attend(index),
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
        let (heads, kv_heads) = (self.heads, self.kv_heads);
        // `[batch, heads + 2 · kv_heads, token, head_dim]`
        let all = split_heads(self.query_key_value.forward(x), heads + 2 * kv_heads);
        let query = rotary.turn(all.clone().narrow(1, 0, heads));
        let key = rotary.turn(all.clone().narrow(1, heads, kv_heads));
        let value = all.narrow(1, heads + kv_heads, kv_heads);
        let attend = self.attend.rounded(self.query_key_value.rounds());
        let attended = context.attend(index, query, key, value, attend);
        self.output.forward(join_heads(attended))
    }
}

/// `down(silu(gate(x)) · up(x))`, where gate and up are one layer, in that order.
#[derive(Module, Debug)]
struct Mlp {
    gate_up: Linear,
    down: Linear,
}

impl Mlp {
    fn new(shape: &Shape, device: &Device) -> Self {
        let (hidden, intermediate) = (shape.hidden_size, shape.intermediate_size);
        let linear = |input, output| shape.linear(input, output, false, device);
        Self {
            gate_up: linear(hidden, 2 * intermediate),
            down: linear(intermediate, hidden),
        }
    }

    /// `[batch, token, hidden]` -> the same
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        in_parts(&self.gate_up, x, |x| {
            let both = self.gate_up.forward(x);
            let [_, _, width] = both.dims();
            let gate = both.clone().narrow(2, 0, width / 2);
            let up = both.narrow(2, width / 2, width / 2);
            self.down.forward(Activation::Silu.gate(gate, up))
        })
    }
}
