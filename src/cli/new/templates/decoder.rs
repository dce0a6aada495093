//! `new-plugin`: a small causal transformer with learned positions.

use menagerie::burn;
use menagerie::burn::module::{Module, Param};
use menagerie::burn::tensor::activation::gelu;
use menagerie::burn::tensor::module::embedding;
use menagerie::burn::tensor::{Device, Int, Tensor};
use menagerie::nn::{INITIALIZER_RANGE, LayerNorm, Linear, join_heads, normal, split_heads};
use menagerie::schemars::JsonSchema;
use menagerie::serde::{Deserialize, Serialize};
use menagerie::{BuildError, Checkpoint, Context, TensorName};
use menagerie::{Decoder, DecoderConfig, DecoderSpec};

/// A causal transformer: learned positions, pre-norm blocks of attention and a GELU MLP.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", deny_unknown_fields)]
#[schemars(crate = "menagerie::schemars")]
pub struct NewPluginDecoderConfig {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream. A multiple of `num_heads`.
    pub hidden_size: usize,
    /// Transformer blocks.
    pub num_layers: usize,
    /// Attention heads of a block.
    pub num_heads: usize,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
}

impl DecoderConfig for NewPluginDecoderConfig {
    type Decoder = NewPluginDecoder;
    const NAME: &'static str = "new-plugin";

    fn tiny() -> Self {
        Self {
            vocab_size: 17,
            hidden_size: 12,
            num_layers: 2,
            num_heads: 3,
            max_position_embeddings: 32,
        }
    }

    fn spec(&self) -> Result<DecoderSpec, BuildError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_layers", self.num_layers),
            ("num_heads", self.num_heads),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        BuildError::check_sizes(Self::NAME, sizes)?;
        if !self.hidden_size.is_multiple_of(self.num_heads) {
            let message = format!("must be a multiple of num_heads = {}", self.num_heads);
            return Err(BuildError::invalid(Self::NAME, "hidden_size", message));
        }
        Ok(DecoderSpec {
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            max_position_embeddings: self.max_position_embeddings,
            num_layers: self.num_layers,
            num_kv_heads: self.num_heads,
            head_dim: self.hidden_size / self.num_heads,
        })
    }

    fn init(&self, device: &Device) -> Result<NewPluginDecoder, BuildError> {
        self.spec()?;
        let table = |rows| normal(INITIALIZER_RANGE).init([rows, self.hidden_size], device);
        Ok(NewPluginDecoder {
            tokens: table(self.vocab_size),
            positions: table(self.max_position_embeddings),
            layers: (0..self.num_layers)
                .map(|_| Block::new(self.hidden_size, self.num_heads, device))
                .collect(),
            norm: norm(self.hidden_size, device),
            head: Linear::new(self.hidden_size, self.vocab_size, false, device),
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut names = vec![
            TensorName::as_is("tokens", "tokens.weight"),
            TensorName::as_is("positions", "positions.weight"),
        ];
        for layer in ["query", "key", "value", "output", "up", "down"] {
            let name = format!("layers.*.{layer}");
            names.extend(TensorName::linear(&name, &name));
        }
        for norm in ["layers.*.attention_norm", "layers.*.mlp_norm", "norm"] {
            names.extend(TensorName::layer_norm(norm, norm));
        }
        names.extend(TensorName::linear("head", "head"));
        Checkpoint::with_prefixes(&[""], &names, &[])
    }
}

menagerie::register_decoder!(NewPluginDecoderConfig);

fn norm(size: usize, device: &Device) -> LayerNorm {
    LayerNorm::new(size, 1e-5, device)
}

/// A decoder of learned positions and [`Block`]s.
#[derive(Module, Debug)]
pub struct NewPluginDecoder {
    /// `[vocab, hidden]`
    tokens: Param<Tensor<2>>,
    /// `[position, hidden]`
    positions: Param<Tensor<2>>,
    layers: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Decoder for NewPluginDecoder {
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        embedding(self.tokens.val(), ids)
    }

    fn forward(&self, embeds: Tensor<3>, context: &mut Context) -> Tensor<3> {
        let mut x = embeds + embedding(self.positions.val(), context.positions());
        for (index, block) in self.layers.iter().enumerate() {
            x = block.forward(x, index, context);
        }
        self.norm.forward(x)
    }

    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.head.forward(hidden)
    }
}

/// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Module, Debug)]
pub struct Block {
    attention_norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    mlp_norm: LayerNorm,
    up: Linear,
    down: Linear,
    #[module(skip)]
    heads: usize,
}

impl Block {
    fn new(hidden: usize, heads: usize, device: &Device) -> Self {
        let linear = |input, output| Linear::new(input, output, true, device);
        Self {
            attention_norm: norm(hidden, device),
            query: linear(hidden, hidden),
            key: linear(hidden, hidden),
            value: linear(hidden, hidden),
            output: linear(hidden, hidden),
            mlp_norm: norm(hidden, device),
            up: linear(hidden, 4 * hidden),
            down: linear(4 * hidden, hidden),
            heads,
        }
    }

    /// `[batch, token, hidden]` -> the same
    fn forward(&self, x: Tensor<3>, index: usize, context: &mut Context) -> Tensor<3> {
        let normed = self.attention_norm.forward(x.clone());
        let x = x + self.attention(normed, index, context);
        let normed = self.mlp_norm.forward(x.clone());
        x + self.down.forward(gelu(self.up.forward(normed)))
    }

    /// `[batch, token, hidden]` -> the same
    fn attention(&self, x: Tensor<3>, index: usize, context: &mut Context) -> Tensor<3> {
        let [_, _, hidden] = x.dims();
        let heads = |layer: &Linear| split_heads(layer.forward(x.clone()), self.heads);
        let (query, key, value) = (heads(&self.query), heads(&self.key), heads(&self.value));
        let scale = ((hidden / self.heads) as f64).powf(-0.5);
        // Who may look at whom, and the cache of keys and values, is the context's affair.
        let attended = context.attend(index, query, key, value, scale);
        self.output.forward(join_heads(attended))
    }
}
