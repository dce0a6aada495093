//! `clip`: the vision transformer of CLIP (Radford et al. 2021, arXiv 2103.00020), as Hugging
//! Face's `CLIPVisionModel` computes it.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use menagerie_core::hf::{HfConfig, HfParts};
use menagerie_core::nn::{INITIALIZER_RANGE, LayerNorm, normal};
use menagerie_core::{
    BuildError, Checkpoint, Encoder, EncoderBlocks, EncoderConfig, EncoderSpec, OneOrMany,
    TensorName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::features::{Features, Select, SelectNames, choices_from_hf, default_layer, is_original};
use crate::pixels::{CLIP_MEAN, CLIP_STD};
use crate::sizes::{Sizes, block_names};
use crate::vit::{Activation, Block, BlockSizes, BlockStd, PatchEmbedding};

/// The vision transformer of CLIP (arXiv 2103.00020).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClipConfig {
    /// Side of the square input, in pixels. Pixels beyond the last whole patch are not seen.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside a block's MLP.
    pub intermediate_size: usize,
    /// Transformer blocks.
    pub num_layers: usize,
    /// Attention heads of a block.
    pub num_heads: usize,
    /// Hidden state read: 0 is the embeddings, `n` the output of block `n`, −1 the last block's.
    /// LLaVA reads the one before the last (arXiv 2304.08485, section 4.1). Of a list, the features
    /// stand side by side in its order.
    #[serde(default = "default_layer")]
    pub layer: OneOrMany<i64>,
    /// Tokens kept.
    #[serde(default)]
    pub select: Select,
    /// Function inside a block's MLP.
    #[serde(default = "default_activation")]
    pub activation: Activation,
    /// Added to the variance in layer norms.
    #[serde(default = "default_layer_norm_eps")]
    pub layer_norm_eps: f64,
}

fn default_activation() -> Activation {
    Activation::QuickGelu
}

fn default_layer_norm_eps() -> f64 {
    1e-5
}

impl ClipConfig {
    /// ViT-L/14, `openai/clip-vit-large-patch14` and `…-336`.
    fn large(image_size: usize) -> Self {
        Self {
            image_size,
            patch_size: 14,
            hidden_size: 1024,
            intermediate_size: 4096,
            num_layers: 24,
            num_heads: 16,
            layer: default_layer(),
            select: Select::Patch,
            activation: default_activation(),
            layer_norm_eps: default_layer_norm_eps(),
        }
    }

    fn sizes(&self) -> Sizes {
        Sizes {
            image_size: self.image_size,
            patch_size: self.patch_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_layers: self.num_layers,
            num_heads: self.num_heads,
        }
    }

    /// Checks the options.
    fn features(&self) -> Result<Features, BuildError> {
        self.sizes().check(Self::NAME)?;
        let class_token = 0..usize::from(self.select == Select::Patch);
        Features::new(Self::NAME, &self.layer, self.num_layers, class_token)
    }
}

impl EncoderConfig for ClipConfig {
    type Encoder = Clip;
    const NAME: &'static str = "clip";
    const MODEL_TYPES: &'static [&'static str] = &["clip", "clip_vision_model"];
    const CHOICES: &'static [&'static str] = &["layer", "select"];
    const PUBLISHED: &'static [(&'static str, &'static str)] = &[
        ("openai/clip-vit-large-patch14", "vit-l-14"),
        ("openai/clip-vit-large-patch14-336", "vit-l-14-336"),
    ];

    fn tiny() -> Self {
        Self {
            patch_size: 7,
            hidden_size: 16,
            intermediate_size: 24,
            num_layers: 2,
            num_heads: 2,
            ..Self::large(21)
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![
            ("vit-l-14", Self::large(224)),
            ("vit-l-14-336", Self::large(336)),
        ]
    }

    fn spec(&self) -> Result<EncoderSpec, BuildError> {
        let features = self.features()?;
        let side = self.sizes().side();
        let has_class_token = self.select == Select::ClsPatch;
        Ok(EncoderSpec {
            image_size: self.image_size,
            tokens: side * side + usize::from(has_class_token),
            grid: Some([side, side]),
            has_class_token,
            feature_size: features.count() * self.hidden_size,
            mean: CLIP_MEAN,
            std: CLIP_STD,
        })
    }

    fn init(&self, device: &Device) -> Result<Clip, BuildError> {
        let features = self.features()?;
        // As transformers draws them (`CLIPPreTrainedModel._init_weights`): inputs of a residual
        // branch shrink with the depth, so that the stream keeps its scale.
        let width_std = (self.hidden_size as f64).powf(-0.5);
        let depth_std = (2.0 * self.num_layers as f64).powf(-0.5);
        let sizes = BlockSizes {
            std: BlockStd {
                query_key_value: width_std * depth_std,
                output: width_std,
                fc1: (2.0 * self.hidden_size as f64).powf(-0.5),
                fc2: width_std * depth_std,
            },
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            heads: self.num_heads,
            layer_norm_eps: self.layer_norm_eps,
            activation: self.activation,
        };
        let side = self.sizes().side();
        Ok(Clip {
            class_embedding: normal(width_std).init([self.hidden_size], device),
            patch_embedding: PatchEmbedding::new(
                self.hidden_size,
                self.patch_size,
                false,
                INITIALIZER_RANGE,
                device,
            ),
            position_embedding: normal(INITIALIZER_RANGE)
                .init([side * side + 1, self.hidden_size], device),
            pre_layernorm: sizes.layer_norm(device),
            layers: (0..self.num_layers)
                .map(|_| Block::new(sizes, device))
                .collect(),
            post_layernorm: sizes.layer_norm(device),
            features,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut tensors = vec![
            TensorName::as_is("class_embedding", "embeddings.class_embedding"),
            TensorName::as_is(
                "patch_embedding.weight",
                "embeddings.patch_embedding.weight",
            ),
            TensorName::as_is("position_embedding", "embeddings.position_embedding.weight"),
        ];
        // `pre_layrnorm` is how transformers spells it.
        tensors.extend(TensorName::layer_norm("pre_layernorm", "pre_layrnorm"));
        tensors.extend(block_names());
        Checkpoint::with_prefixes(
            &["vision_model.", ""],
            &tensors,
            &[
                "embeddings.position_ids",
                "text_model.**",
                "text_projection.weight",
                "visual_projection.weight",
                "logit_scale",
            ],
        )
    }

    /// Field names and defaults of `CLIPVisionConfig`.
    fn from_hf(config: &serde_json::Value) -> Result<toml::Table, BuildError> {
        let names = SelectNames {
            default: "patch",
            full: "cls_patch",
            patch: "patch",
            cls_patch: "cls_patch",
        };
        let hf = HfConfig::new(Self::NAME, config, "vision_config");
        let hf = choices_from_hf(hf, names)?;
        if is_original(&hf) {
            return Ok(hf.into_options());
        }
        let defaults = Sizes {
            image_size: 224,
            patch_size: 32,
            hidden_size: 768,
            intermediate_size: 3072,
            num_layers: 12,
            num_heads: 12,
        };
        let options = defaults
            .read_hf(hf)?
            .set("activation", &["hidden_act"], "quick_gelu")?
            .set("layer_norm_eps", &["layer_norm_eps"], 1e-5)?;
        Ok(options.into_options())
    }

    fn to_hf(&self) -> Option<HfParts> {
        let select = match self.select {
            Select::Patch => "default",
            Select::ClsPatch => "full",
        };
        let config = [
            ("architectures", json!(["CLIPVisionModel"])),
            ("model_type", json!("clip_vision_model")),
            ("num_channels", json!(3)),
            ("hidden_act", json!(self.activation)),
            ("layer_norm_eps", json!(self.layer_norm_eps)),
        ];
        Some(HfParts::new(
            config.into_iter().chain(self.sizes().write_hf()),
            [
                ("vision_feature_layer", json!(self.layer)),
                ("vision_feature_select_strategy", json!(select)),
            ],
        ))
    }
}

menagerie_core::register_encoder!(ClipConfig);

/// CLIP's vision transformer. It holds every published weight, those after the hidden state that
/// is read included.
#[derive(Module, Debug)]
pub struct Clip {
    class_embedding: Param<Tensor<1>>,
    patch_embedding: PatchEmbedding,
    /// `[1 + patch, hidden]`
    position_embedding: Param<Tensor<2>>,
    pre_layernorm: LayerNorm,
    layers: Vec<Block>,
    post_layernorm: LayerNorm,
    #[module(skip)]
    features: Features,
}

impl Clip {
    /// `[batch, channel, height, width]` -> `[batch, 1 + patch, hidden]`: the class token and the
    /// patches, each with its position.
    fn embeddings(&self, pixels: Tensor<4>) -> Tensor<3> {
        let patches = self.patch_embedding.forward(pixels);
        let [batch, _, hidden] = patches.dims();
        let class = self
            .class_embedding
            .val()
            .reshape([1, 1, hidden])
            .expand([batch, 1, hidden]);
        Tensor::cat(vec![class, patches], 1) + self.position_embedding.val().unsqueeze()
    }
}

impl Encoder for Clip {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let embedded = self.embed(pixels);
        self.run(embedded, &mut |index, hidden| self.block(index, hidden))
    }

    fn blocks(&self) -> Option<&dyn EncoderBlocks> {
        Some(self)
    }
}

impl EncoderBlocks for Clip {
    fn count(&self) -> usize {
        self.features.blocks()
    }

    fn embed(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.pre_layernorm.forward(self.embeddings(pixels))
    }

    fn block(&self, index: usize, hidden: Tensor<3>) -> Tensor<3> {
        self.layers[index].forward(hidden)
    }

    fn states(&self) -> Vec<usize> {
        self.features.states()
    }

    fn finish(&self, states: Vec<Tensor<3>>) -> Tensor<3> {
        self.features.join(states)
    }
}

#[cfg(test)]
mod tests;
