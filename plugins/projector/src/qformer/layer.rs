//! A layer of the Q-Former: BERT's, with attention to the encoder's tokens.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::TensorName;
use menagerie_core::attention::{Attend, attention};
use menagerie_core::nn::{Activation, LayerNorm, Linear, join_heads, split_heads};

use super::QFormerConfig;

/// `norm(x + f(x))` three times: attention among the queries, in some layers attention to the
/// features, an MLP.
#[derive(Module, Debug)]
pub(super) struct Layer {
    attention: Attention,
    cross_attention: Option<Attention>,
    mlp: Mlp,
}

impl Layer {
    /// Layer `index`, of an encoder's tokens with `features` numbers each.
    pub(super) fn new(
        config: &QFormerConfig,
        index: usize,
        features: usize,
        device: &Device,
    ) -> Self {
        let crosses = config.attends_to_features(index);
        Self {
            attention: Attention::new(config, config.hidden_size, device),
            cross_attention: crosses.then(|| Attention::new(config, features, device)),
            mlp: Mlp::new(config, device),
        }
    }

    /// `[batch, query, hidden]` and `[batch, token, feature]` -> as the former
    pub(super) fn forward(&self, queries: Tensor<3>, features: Tensor<3>) -> Tensor<3> {
        let x = self.attention.forward(queries.clone(), queries);
        let x = match &self.cross_attention {
            Some(cross) => cross.forward(x, features),
            None => x,
        };
        self.mlp.forward(x)
    }

    /// Names of the layer at `path`, stored at `key`.
    pub(super) fn names(path: &str, key: &str) -> Vec<TensorName> {
        let mut names = Vec::new();
        for (part, stored) in [
            ("attention", "attention"),
            ("cross_attention", "crossattention"),
        ] {
            let (path, key) = (format!("{path}.{part}"), format!("{key}.{stored}"));
            for (part, stored) in [
                ("query", "attention.query"),
                ("key", "attention.key"),
                ("value", "attention.value"),
                ("output", "output.dense"),
            ] {
                let (path, key) = (format!("{path}.{part}"), format!("{key}.{stored}"));
                names.extend(TensorName::linear(&path, &key));
            }
            let (path, key) = (format!("{path}.norm"), format!("{key}.output.LayerNorm"));
            names.extend(TensorName::layer_norm(&path, &key));
        }
        let (path, key) = (format!("{path}.mlp"), |part: &str| format!("{key}.{part}"));
        for (part, stored) in [
            ("fc1", "intermediate_query.dense"),
            ("fc2", "output_query.dense"),
        ] {
            names.extend(TensorName::linear(&format!("{path}.{part}"), &key(stored)));
        }
        let norm = key("output_query.LayerNorm");
        names.extend(TensorName::layer_norm(&format!("{path}.norm"), &norm));
        names
    }
}

/// `norm(x + attention(x, context))`: every query attends to every token of the context.
#[derive(Module, Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm: LayerNorm,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    fn new(config: &QFormerConfig, context: usize, device: &Device) -> Self {
        let hidden = config.hidden_size;
        let linear = |input| Linear::new(input, hidden, true, device);
        Self {
            query: linear(hidden),
            key: linear(context),
            value: linear(context),
            output: linear(hidden),
            norm: config.layer_norm(device),
            heads: config.num_heads,
        }
    }

    /// `[batch, query, hidden]` and `[batch, token, context]` -> as the former
    fn forward(&self, x: Tensor<3>, context: Tensor<3>) -> Tensor<3> {
        let query = split_heads(self.query.forward(x.clone()), self.heads);
        let key = split_heads(self.key.forward(context.clone()), self.heads);
        let value = split_heads(self.value.forward(context), self.heads);
        let [_, _, _, head_dim] = query.dims();
        let attend = Attend::from((head_dim as f64).powf(-0.5)).rounded(self.query.rounds());
        let attended = join_heads(attention(query, key, value, attend));
        self.norm.forward(x + self.output.forward(attended))
    }
}

/// `norm(x + fc2(gelu(fc1(x))))`
#[derive(Module, Debug)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
    norm: LayerNorm,
}

impl Mlp {
    fn new(config: &QFormerConfig, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        Self {
            fc1: Linear::new(hidden, inner, true, device),
            fc2: Linear::new(inner, hidden, true, device),
            norm: config.layer_norm(device),
        }
    }

    /// `[batch, query, hidden]` -> the same
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let inner = Activation::Gelu.forward(self.fc1.forward(x.clone()));
        let mapped = self.fc2.forward(inner);
        self.norm.forward(x + mapped)
    }
}
