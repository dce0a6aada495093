//! `qformer`: the querying transformer of BLIP-2 (arXiv 2301.12597), as Hugging Face's
//! `Blip2QFormerModel` computes it.

mod layer;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use menagerie_core::hf::HfConfig;
use menagerie_core::nn::{INITIALIZER_RANGE, LayerNorm, Linear, normal};
use menagerie_core::{
    BuildError, Checkpoint, DecoderSpec, EncoderSpec, Projector, ProjectorConfig, ProjectorSpec,
    TensorName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toml::Table;

use crate::limits::{self, LAYERS, MLP_WIDTH, QUERIES, WIDTH};
use layer::Layer;

/// Learned queries that attend to one another and, in some of the layers, to the encoder's tokens,
/// then a linear map: the Q-Former of BLIP-2 (arXiv 2301.12597). An image is as many tokens as there
/// are queries. Without the dropout that BLIP-2 trains with, and without the Q-Former's text input,
/// which BLIP-2 has no use for once it has a decoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QFormerConfig {
    /// Learned queries: visual tokens of an image.
    #[serde(default = "default_num_queries")]
    pub num_queries: usize,
    /// Width of the residual stream.
    #[serde(default = "default_hidden_size")]
    pub hidden_size: usize,
    /// Width inside a layer's MLP.
    #[serde(default = "default_intermediate_size")]
    pub intermediate_size: usize,
    /// Layers.
    #[serde(default = "default_num_layers")]
    pub num_layers: usize,
    /// Attention heads of a layer.
    #[serde(default = "default_num_heads")]
    pub num_heads: usize,
    /// Layers from one that attends to the encoder's tokens to the next; the first does.
    #[serde(default = "default_cross_attention_frequency")]
    pub cross_attention_frequency: usize,
    /// Added to the variance in layer norms.
    #[serde(default = "default_layer_norm_eps")]
    pub layer_norm_eps: f64,
}

fn default_num_queries() -> usize {
    32
}

fn default_hidden_size() -> usize {
    768
}

fn default_intermediate_size() -> usize {
    3072
}

fn default_num_layers() -> usize {
    12
}

fn default_num_heads() -> usize {
    12
}

fn default_cross_attention_frequency() -> usize {
    2
}

fn default_layer_norm_eps() -> f64 {
    1e-12
}

impl QFormerConfig {
    /// `Salesforce/blip2-opt-2.7b` and its siblings: BERT base with cross attention.
    fn blip2() -> Self {
        Self {
            num_queries: default_num_queries(),
            hidden_size: default_hidden_size(),
            intermediate_size: default_intermediate_size(),
            num_layers: default_num_layers(),
            num_heads: default_num_heads(),
            cross_attention_frequency: default_cross_attention_frequency(),
            layer_norm_eps: default_layer_norm_eps(),
        }
    }

    fn check(&self) -> Result<(), BuildError> {
        limits::check(
            Self::NAME,
            [
                ("num_queries", self.num_queries, QUERIES),
                ("hidden_size", self.hidden_size, WIDTH),
                ("intermediate_size", self.intermediate_size, MLP_WIDTH),
                ("num_layers", self.num_layers, LAYERS),
                ("num_heads", self.num_heads, WIDTH),
                (
                    "cross_attention_frequency",
                    self.cross_attention_frequency,
                    LAYERS,
                ),
            ],
        )?;
        if !self.hidden_size.is_multiple_of(self.num_heads) {
            let message = format!(
                "{} is no multiple of num_heads = {}",
                self.hidden_size, self.num_heads
            );
            return Err(BuildError::invalid(Self::NAME, "hidden_size", message));
        }
        Ok(())
    }

    fn layer_norm(&self, device: &Device) -> LayerNorm {
        LayerNorm::new(self.hidden_size, self.layer_norm_eps, device)
    }

    fn attends_to_features(&self, layer: usize) -> bool {
        layer.is_multiple_of(self.cross_attention_frequency)
    }
}

impl ProjectorConfig for QFormerConfig {
    type Projector = QFormer;
    const NAME: &'static str = "qformer";

    fn tiny() -> Self {
        Self {
            num_queries: 3,
            hidden_size: 8,
            intermediate_size: 12,
            num_layers: 2,
            num_heads: 2,
            ..Self::blip2()
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![("blip-2", Self::blip2())]
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
    ) -> Result<QFormer, BuildError> {
        self.check()?;
        let layers = 0..self.num_layers;
        Ok(QFormer {
            // Queries of zeros, with which transformers begins, would all stay the same.
            query_tokens: normal(INITIALIZER_RANGE)
                .init([1, self.num_queries, self.hidden_size], device),
            layer_norm: self.layer_norm(device),
            layers: layers
                .map(|index| Layer::new(self, index, vision.feature_size, device))
                .collect(),
            language_projection: Linear::new(self.hidden_size, llm.hidden_size, true, device),
        })
    }

    /// Field names and defaults of `Blip2QFormerConfig`.
    fn from_hf(config: &Value) -> Result<Option<Table>, BuildError> {
        if config.get("model_type").and_then(Value::as_str) != Some("blip-2") {
            return Ok(None);
        }
        let hf = HfConfig::new(Self::NAME, config, "qformer_config");
        for (field, only) in [
            ("hidden_act", json!("gelu")),
            ("use_qformer_text_input", json!(false)),
        ] {
            if let Some(value) = hf.get(field).filter(|value| **value != only) {
                let allowed = format!("it is {only}");
                return Err(hf.unsupported("type", field, value, &allowed));
            }
        }
        let queries = hf.outer("num_query_tokens").and_then(Value::as_i64);
        let options = hf
            .with("num_queries", queries.unwrap_or(32))
            .set("hidden_size", &["hidden_size"], 768)?
            .set("intermediate_size", &["intermediate_size"], 3072)?
            .set("num_layers", &["num_hidden_layers"], 12)?
            .set("num_heads", &["num_attention_heads"], 12)?
            .set(
                "cross_attention_frequency",
                &["cross_attention_frequency"],
                2,
            )?
            .set("layer_norm_eps", &["layer_norm_eps"], 1e-12)?;
        Ok(Some(options.into_options()))
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut tensors = vec![TensorName::as_is("query_tokens", "query_tokens")];
        tensors.extend(TensorName::layer_norm("layer_norm", "qformer.layernorm"));
        tensors.extend(Layer::names("layers.*", "qformer.encoder.layer.*"));
        tensors.extend(TensorName::linear(
            "language_projection",
            "language_projection",
        ));
        Checkpoint::with_prefixes(&[""], &tensors, &["vision_model.**"])
    }
}

menagerie_core::register_projector!(QFormerConfig);

/// `linear(layers(norm(queries), x))`
#[derive(Module, Debug)]
pub struct QFormer {
    /// `[1, query, hidden]`
    query_tokens: Param<Tensor<3>>,
    layer_norm: LayerNorm,
    layers: Vec<Layer>,
    language_projection: Linear,
}

impl QFormer {
    /// What goes into the first layer, for `batch` images: `[batch, query, hidden]`
    fn queries(&self, batch: usize) -> Tensor<3> {
        let queries = self.layer_norm.forward(self.query_tokens.val());
        let [_, tokens, hidden] = queries.dims();
        queries.expand([batch, tokens, hidden])
    }
}

impl Projector for QFormer {
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        let [batch, _, _] = features.dims();
        // [batch, query, hidden] all along
        let queries = self.layers.iter().fold(self.queries(batch), |x, layer| {
            layer.forward(x, features.clone())
        });
        // -> [batch, query, the decoder's hidden]
        self.language_projection.forward(queries)
    }
}

#[cfg(test)]
mod tests;
