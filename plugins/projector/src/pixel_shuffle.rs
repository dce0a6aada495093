//! `pixel_shuffle`: squares of patches side by side in one token, as in InternVL (arXiv 2312.14238)
//! and Idefics3 (arXiv 2408.12637).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::hf::HfConfig;
use menagerie_core::nn::{Activation, LayerNorm, Linear};
use menagerie_core::{
    BuildError, Checkpoint, DecoderSpec, EncoderSpec, Projector, ProjectorConfig, ProjectorSpec,
    Publisher, TensorName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Table;

use crate::grid::{fold, grid};
use crate::linears::{chain, linears, names};

/// PyTorch's default, which InternVL's projector keeps.
const LAYER_NORM_EPS: f64 = 1e-5;
/// Linear layers of InternVL's projector.
const DEPTH: usize = 2;

/// Squares of patches side by side in one token, then linear maps, as in InternVL (arXiv 2312.14238)
/// and Idefics3 (arXiv 2408.12637): fewer tokens, and no patch is lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PixelShuffleConfig {
    /// Patches along a side of a square that becomes one token. The squares must fill the encoder's
    /// grid.
    #[serde(default = "default_factor")]
    pub factor: usize,
    /// What maps the merged features to the decoder's.
    #[serde(default)]
    pub head: Head,
}

/// What maps merged features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// A layer norm and two linear maps with GELU between them, as in InternVL.
    #[default]
    Mlp,
    /// One linear map without a bias, as in Idefics3 and SmolVLM.
    Linear,
}

fn default_factor() -> usize {
    2
}

impl PixelShuffleConfig {
    /// The encoder's grid and the one that is left. Checks the options.
    fn grids(&self, vision: &EncoderSpec) -> Result<[[usize; 2]; 2], BuildError> {
        let from = grid(Self::NAME, vision)?;
        let to = fold(Self::NAME, "factor", self.factor, from)?;
        Ok([from, to])
    }
}

impl ProjectorConfig for PixelShuffleConfig {
    type Projector = PixelShuffle;
    const NAME: &'static str = "pixel_shuffle";

    fn tiny() -> Self {
        Self {
            factor: 2,
            head: Head::Mlp,
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        let with = |factor, head| Self { factor, head };
        vec![
            ("internvl", with(2, Head::Mlp)),
            ("idefics3", with(2, Head::Linear)),
        ]
    }

    fn spec(&self, vision: &EncoderSpec, _llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
        let [_, [rows, columns]] = self.grids(vision)?;
        Ok(ProjectorSpec {
            visual_tokens: rows * columns,
        })
    }

    fn grid(&self, vision: &EncoderSpec, _llm: &DecoderSpec) -> Option<[usize; 2]> {
        self.grids(vision).ok().map(|[_, to]| to)
    }

    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        device: &Device,
    ) -> Result<PixelShuffle, BuildError> {
        let [_, grid] = self.grids(vision)?;
        let merged = self.factor * self.factor * vision.feature_size;
        let (layer_norm, layers) = match self.head {
            Head::Mlp => (
                Some(LayerNorm::new(merged, LAYER_NORM_EPS, device)),
                linears(merged, llm.hidden_size, DEPTH, device),
            ),
            Head::Linear => {
                let linear = Linear::new(merged, llm.hidden_size, false, device);
                (None, vec![linear])
            }
        };
        Ok(PixelShuffle {
            factor: self.factor,
            grid,
            layer_norm,
            layers,
        })
    }

    /// InternVL, Idefics3 and SmolVLM, as transformers has them.
    fn from_hf(config: &Value) -> Result<Option<Table>, BuildError> {
        let hf = HfConfig::new(Self::NAME, config, "");
        let options = match hf.outer("model_type").and_then(Value::as_str) {
            Some("internvl") => {
                let act = hf.outer("projector_hidden_act");
                if let Some(act) = act.filter(|act| *act != "gelu") {
                    let allowed = "the function is \"gelu\"";
                    return Err(hf.unsupported("head", "projector_hidden_act", act, allowed));
                }
                let ratio = hf.outer("downsample_ratio");
                let is_inverse = |factor: &i64| {
                    let ratio = ratio.map_or(Some(0.5), Value::as_f64);
                    ratio.is_some_and(|ratio| ratio * *factor as f64 == 1.0)
                };
                let factor = (1..=1024).find(is_inverse).ok_or_else(|| {
                    let ratio = &config["downsample_ratio"];
                    let allowed = "it is 1, 1/2, 1/4, …";
                    hf.unsupported("factor", "downsample_ratio", ratio, allowed)
                })?;
                hf.with("factor", factor).with("head", "mlp")
            }
            Some("idefics3" | "smolvlm") => hf
                .set("factor", &["scale_factor"], 2)?
                .with("head", "linear"),
            _ => return Ok(None),
        };
        Ok(Some(options.into_options()))
    }

    fn checkpoint(&self) -> Checkpoint {
        // Whole models name their parts so; only the projector is wanted.
        const OTHERS: &[&str] = &["vision_model.**"];
        match self.head {
            Head::Mlp => {
                let table = |norm: &str, key: &dyn Fn(usize) -> String| {
                    let mut tensors = names("layers", DEPTH, key);
                    tensors.extend(TensorName::layer_norm("layer_norm", norm));
                    tensors
                };
                let hf = table("layer_norm", &|n| format!("linear_{}", n + 1));
                // An `nn.Sequential` counts the norm and the GELU too.
                let original = table("0", &|n| (2 * n + 1).to_string());
                let hf = Checkpoint::with_prefixes(&[""], &hf, OTHERS);
                let original = Checkpoint::with_prefixes(&["mlp1."], &original, OTHERS);
                hf.by(Publisher::HuggingFace)
                    .or(original.by(Publisher::Original))
            }
            Head::Linear => {
                let tensors = TensorName::linear("layers.0", "modality_projection.proj");
                let prefixes = ["", "model.connector.", "connector."];
                Checkpoint::with_prefixes(&prefixes, &tensors, OTHERS)
            }
        }
    }
}

menagerie_core::register_projector!(PixelShuffleConfig);

/// `linear(gelu(linear(norm(merge(x)))))`, or `linear(merge(x))`
#[derive(Module, Debug)]
pub struct PixelShuffle {
    #[module(skip)]
    factor: usize,
    /// Rows and columns that are left.
    #[module(skip)]
    grid: [usize; 2],
    layer_norm: Option<LayerNorm>,
    layers: Vec<Linear>,
}

impl PixelShuffle {
    /// `[batch, patch, feature]` -> `[batch, visual_token, factor² · feature]`: a square's patches
    /// row by row.
    fn merge(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, _, features] = x.dims();
        let ([rows, columns], side) = (self.grid, self.factor);
        x.reshape([batch, rows, side, columns, side, features])
            .permute([0, 1, 3, 2, 4, 5])
            .reshape([batch, rows * columns, side * side * features])
    }
}

impl Projector for PixelShuffle {
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        let merged = self.merge(features);
        let merged = match &self.layer_norm {
            Some(norm) => norm.forward(merged),
            None => merged,
        };
        chain(&self.layers, merged, Activation::Gelu)
    }
}

#[cfg(test)]
mod tests;
