//! `resampler`: the Perceiver resampler of Flamingo (arXiv 2204.14198), as OpenFlamingo computes it.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use menagerie_core::attention::{Attend, attention};
use menagerie_core::nn::{Activation, LayerNorm, Linear, join_heads, normal, split_heads};
use menagerie_core::{
    BuildError, Checkpoint, DecoderSpec, EncoderSpec, Projector, ProjectorConfig, ProjectorSpec,
    TensorName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{self, LAYERS, QUERIES, WIDTH};

/// PyTorch's default, which OpenFlamingo keeps.
const LAYER_NORM_EPS: f64 = 1e-5;

/// Learned queries that read the encoder's tokens, block by block, then a linear map: the Perceiver
/// resampler of Flamingo (arXiv 2204.14198). An image is as many tokens as there are queries,
/// whatever its encoder. Flamingo's blocks are as wide as the encoder, and its decoder reads them
/// through layers of its own; the linear map is in their place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResamplerConfig {
    /// Learned queries: visual tokens of an image.
    #[serde(default = "default_num_queries")]
    pub num_queries: usize,
    /// Blocks of attention and MLP.
    #[serde(default = "default_num_layers")]
    pub num_layers: usize,
    /// Attention heads of a block.
    #[serde(default = "default_num_heads")]
    pub num_heads: usize,
    /// Features of a head.
    #[serde(default = "default_head_dim")]
    pub head_dim: usize,
    /// Width inside a block's MLP, in widths of the encoder's features.
    #[serde(default = "default_mlp_ratio")]
    pub mlp_ratio: usize,
}

fn default_num_queries() -> usize {
    64
}

fn default_num_layers() -> usize {
    6
}

fn default_num_heads() -> usize {
    8
}

fn default_head_dim() -> usize {
    64
}

fn default_mlp_ratio() -> usize {
    4
}

impl ResamplerConfig {
    fn check(&self) -> Result<(), BuildError> {
        limits::check(
            Self::NAME,
            [
                ("num_queries", self.num_queries, QUERIES),
                ("num_layers", self.num_layers, LAYERS),
                ("num_heads", self.num_heads, WIDTH),
                (
                    "head_dim",
                    self.head_dim,
                    WIDTH / self.num_heads.clamp(1, WIDTH),
                ),
                ("mlp_ratio", self.mlp_ratio, 64),
            ],
        )
    }
}

impl ProjectorConfig for ResamplerConfig {
    type Projector = Resampler;
    const NAME: &'static str = "resampler";

    fn tiny() -> Self {
        Self {
            num_queries: 3,
            num_layers: 2,
            num_heads: 2,
            head_dim: 5,
            mlp_ratio: 2,
        }
    }

    fn spec(&self, _vision: &EncoderSpec, _llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
        self.check()?;
        Ok(ProjectorSpec {
            visual_tokens: self.num_queries,
        })
    }

    /// A query stands for no place.
    fn grid(&self, _vision: &EncoderSpec, _llm: &DecoderSpec) -> Option<[usize; 2]> {
        None
    }

    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        device: &Device,
    ) -> Result<Resampler, BuildError> {
        self.check()?;
        let width = vision.feature_size;
        let layers = 0..self.num_layers;
        Ok(Resampler {
            latents: normal(1.0).init([self.num_queries, width], device),
            layers: layers.map(|_| Block::new(self, width, device)).collect(),
            norm: LayerNorm::new(width, LAYER_NORM_EPS, device),
            projection: Linear::fan_in(width, llm.hidden_size, device),
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut tensors = vec![TensorName::as_is("latents", "perceiver.latents")];
        let path = |part: &str| format!("layers.*.{part}");
        // A layer is an `nn.ModuleList` of the attention, 0, and the MLP, an `nn.Sequential`.
        let key = |part: &str| format!("perceiver.layers.*.{part}");
        for (part, stored) in [
            ("attention.norm_features", "0.norm_media"),
            ("attention.norm_latents", "0.norm_latents"),
            ("mlp.norm", "1.0"),
        ] {
            tensors.extend(TensorName::layer_norm(&path(part), &key(stored)));
        }
        for (part, stored) in [
            ("attention.query", "0.to_q"),
            ("attention.key_value", "0.to_kv"),
            ("attention.output", "0.to_out"),
            ("mlp.fc1", "1.1"),
            ("mlp.fc2", "1.3"),
        ] {
            tensors.extend(TensorName::linear(&path(part), &key(stored)));
        }
        tensors.extend(TensorName::layer_norm("norm", "perceiver.norm"));
        tensors.extend(TensorName::linear("projection", "projection"));
        Checkpoint::with_prefixes(&[""], &tensors, &[])
    }
}

menagerie_core::register_projector!(ResamplerConfig);

/// `linear(norm(blocks(latents, x)))`
#[derive(Module, Debug)]
pub struct Resampler {
    /// `[query, feature]`
    latents: Param<Tensor<2>>,
    layers: Vec<Block>,
    norm: LayerNorm,
    projection: Linear,
}

impl Projector for Resampler {
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        let [batch, _, width] = features.dims();
        let [queries, _] = self.latents.lazy_shape().dims();
        let latents = self.latents.val().reshape([1, queries, width]);
        let latents = latents.expand([batch, queries, width]);
        // [batch, query, feature] all along
        let read = self.layers.iter().fold(latents, |latents, layer| {
            layer.forward(features.clone(), latents)
        });
        // -> [batch, query, hidden]
        self.projection.forward(self.norm.forward(read))
    }
}

/// `z + attention(x, z)`, then `z + mlp(z)`, for latents `z` and features `x`.
#[derive(Module, Debug)]
struct Block {
    attention: LatentAttention,
    mlp: Mlp,
}

impl Block {
    fn new(config: &ResamplerConfig, width: usize, device: &Device) -> Self {
        Self {
            attention: LatentAttention::new(config, width, device),
            mlp: Mlp::new(width, config.mlp_ratio * width, device),
        }
    }

    /// `[batch, token, feature]` and `[batch, query, feature]` -> as the latter
    fn forward(&self, features: Tensor<3>, latents: Tensor<3>) -> Tensor<3> {
        let latents = latents.clone() + self.attention.forward(features, latents);
        latents.clone() + self.mlp.forward(latents)
    }
}

/// Every latent attends to every feature and every latent.
#[derive(Module, Debug)]
struct LatentAttention {
    norm_features: LayerNorm,
    norm_latents: LayerNorm,
    query: Linear,
    /// Keys, then values, as one matrix.
    key_value: Linear,
    output: Linear,
    #[module(skip)]
    heads: usize,
}

impl LatentAttention {
    fn new(config: &ResamplerConfig, width: usize, device: &Device) -> Self {
        let inner = config.num_heads * config.head_dim;
        let linear = |input, output| without_bias(input, output, device);
        Self {
            norm_features: LayerNorm::new(width, LAYER_NORM_EPS, device),
            norm_latents: LayerNorm::new(width, LAYER_NORM_EPS, device),
            query: linear(width, inner),
            key_value: linear(width, 2 * inner),
            output: linear(inner, width),
            heads: config.num_heads,
        }
    }

    /// `[batch, token, feature]` and `[batch, query, feature]` -> as the latter
    fn forward(&self, features: Tensor<3>, latents: Tensor<3>) -> Tensor<3> {
        let features = self.norm_features.forward(features);
        let latents = self.norm_latents.forward(latents);
        let query = self.query.forward(latents.clone());
        // [batch, token + query, 2 · inner]
        let read = Tensor::cat(vec![features, latents], 1);
        let both = self.key_value.forward(read).chunk(2, 2);
        let [query, key, value] =
            [query, both[0].clone(), both[1].clone()].map(|x| split_heads(x, self.heads));
        let [_, _, _, head_dim] = query.dims();
        let attend = Attend::from((head_dim as f64).powf(-0.5)).rounded(self.query.rounds());
        self.output
            .forward(join_heads(attention(query, key, value, attend)))
    }
}

/// `fc2(gelu(fc1(norm(x))))`
#[derive(Module, Debug)]
struct Mlp {
    norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Mlp {
    fn new(width: usize, inner: usize, device: &Device) -> Self {
        Self {
            norm: LayerNorm::new(width, LAYER_NORM_EPS, device),
            fc1: without_bias(width, inner, device),
            fc2: without_bias(inner, width, device),
        }
    }

    /// `[batch, query, feature]` -> the same
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = self.fc1.forward(self.norm.forward(x));
        self.fc2.forward(Activation::Gelu.forward(hidden))
    }
}

/// A layer as PyTorch draws it, but for the bias.
fn without_bias(input: usize, output: usize, device: &Device) -> Linear {
    Linear {
        bias: None,
        ..Linear::fan_in(input, output, device)
    }
}

#[cfg(test)]
mod tests;
