//! A small decoder that counts what it is given, and may ask how far a pass reaches.

use std::cell::RefCell;

use menagerie::burn;
use menagerie::burn::module::{Module, Param};
use menagerie::burn::tensor::module::embedding;
use menagerie::burn::tensor::{Device, Int, Tensor};
use menagerie::nn::{Linear, join_heads, normal, split_heads};
use menagerie::schemars::{self, JsonSchema};
use menagerie::serde::{Deserialize, Serialize};
use menagerie::{BuildError, Checkpoint, Context, TensorName};
use menagerie::{Decoder, DecoderConfig, DecoderSpec};

thread_local! {
    static PASSES: RefCell<Vec<[usize; 2]>> = const { RefCell::new(Vec::new()) };
}

/// Rows and tokens of each pass of this thread since the last call.
pub fn passes() -> Vec<[usize; 2]> {
    PASSES.take()
}

/// What a decoder asks of how far a pass reaches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", rename_all = "snake_case")]
pub enum Asks {
    Nothing,
    /// Whether past 24 tokens.
    Past,
    Exactly,
}

/// Learned positions and one block of attention.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", deny_unknown_fields)]
pub struct CountedConfig {
    vocab_size: usize,
    asks: Asks,
}

const HIDDEN: usize = 16;
const POSITIONS: usize = 48;

impl DecoderConfig for CountedConfig {
    type Decoder = Counted;
    const NAME: &'static str = "counted";

    fn tiny() -> Self {
        Self {
            vocab_size: 17,
            asks: Asks::Nothing,
        }
    }

    fn spec(&self) -> Result<DecoderSpec, BuildError> {
        Ok(DecoderSpec {
            vocab_size: self.vocab_size,
            hidden_size: HIDDEN,
            max_position_embeddings: POSITIONS,
            num_layers: 1,
            num_kv_heads: 2,
            head_dim: 8,
        })
    }

    fn init(&self, device: &Device) -> Result<Counted, BuildError> {
        let table = |rows| normal(1.0).init([rows, HIDDEN], device);
        Ok(Counted {
            tokens: table(self.vocab_size),
            positions: table(POSITIONS),
            mixed: table(HIDDEN),
            head: Linear::new(HIDDEN, self.vocab_size, false, device),
            asks: self.asks,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut names = vec![
            TensorName::as_is("tokens", "tokens.weight"),
            TensorName::as_is("positions", "positions.weight"),
            TensorName::as_is("mixed", "mixed.weight"),
        ];
        names.extend(TensorName::linear("head", "head"));
        Checkpoint::with_prefixes(&[""], &names, &[])
    }
}

menagerie::register_decoder!(CountedConfig);

#[derive(Module, Debug)]
pub struct Counted {
    tokens: Param<Tensor<2>>,
    positions: Param<Tensor<2>>,
    mixed: Param<Tensor<2>>,
    head: Linear,
    #[module(skip)]
    asks: Asks,
}

impl Decoder for Counted {
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        embedding(self.tokens.val(), ids)
    }

    fn forward(&self, embeds: Tensor<3>, context: &mut Context) -> Tensor<3> {
        let [batch, tokens, _] = embeds.dims();
        PASSES.with_borrow_mut(|passes| passes.push([batch, tokens]));
        let scale = match self.asks {
            Asks::Past if context.reaches_past(24) => 2.0,
            Asks::Nothing | Asks::Past => 1.0,
            Asks::Exactly => 1.0 + context.reach() as f64 / 20.0,
        };
        let x = embeds + embedding(self.positions.val(), context.positions()).mul_scalar(scale);
        let mixed = x.clone().matmul(self.mixed.val().unsqueeze());
        let heads = |x: &Tensor<3>| split_heads(x.clone(), 2);
        let (query, key, value) = (heads(&mixed), heads(&x), heads(&(x.clone() * scale)));
        x + join_heads(context.attend(0, query, key, value, 0.35))
    }

    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.head.forward(hidden).mul_scalar(40.0)
    }
}
