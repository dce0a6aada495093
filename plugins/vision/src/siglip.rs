//! `siglip`: the vision transformer of SigLIP (Zhai et al. 2023, arXiv 2303.15343) and of those SigLIP
//! 2 (Tschannen et al. 2025, arXiv 2502.14786) that have a fixed image size, as Hugging Face's
//! `SiglipVisionModel` computes it.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use menagerie_core::hf::{HfConfig, HfParts};
use menagerie_core::image::Resize;
use menagerie_core::nn::{LayerNorm, normal};
use menagerie_core::{
    BuildError, Checkpoint, Encoder, EncoderBlocks, EncoderConfig, EncoderSpec, OneOrMany,
    TensorName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::features::{Features, SelectNames, choices_from_hf, default_layer, is_original};
use crate::sizes::{Sizes, block_names};
use crate::vit::{Activation, Block, BlockSizes, BlockStd, PatchEmbedding};

/// Hub ids of SigLIP and SigLIP 2, each with the preset of its sizes.
const PUBLISHED: [(&str, &str); 25] = [
    ("google/siglip-base-patch16-224", "base-patch16-224"),
    ("google/siglip-base-patch16-256", "base-patch16-256"),
    (
        "google/siglip-base-patch16-256-multilingual",
        "base-patch16-256",
    ),
    ("google/siglip-base-patch16-384", "base-patch16-384"),
    ("google/siglip-base-patch16-512", "base-patch16-512"),
    ("google/siglip-large-patch16-256", "large-patch16-256"),
    ("google/siglip-large-patch16-384", "large-patch16-384"),
    ("google/siglip-so400m-patch14-224", "so400m-patch14-224"),
    ("google/siglip-so400m-patch14-384", "so400m-patch14-384"),
    (
        "google/siglip-so400m-patch16-256-i18n",
        "so400m-patch16-256",
    ),
    ("google/siglip2-base-patch16-224", "base-patch16-224"),
    ("google/siglip2-base-patch16-256", "base-patch16-256"),
    ("google/siglip2-base-patch16-384", "base-patch16-384"),
    ("google/siglip2-base-patch16-512", "base-patch16-512"),
    ("google/siglip2-base-patch32-256", "base-patch32-256"),
    ("google/siglip2-large-patch16-256", "large-patch16-256"),
    ("google/siglip2-large-patch16-384", "large-patch16-384"),
    ("google/siglip2-large-patch16-512", "large-patch16-512"),
    ("google/siglip2-so400m-patch14-224", "so400m-patch14-224"),
    ("google/siglip2-so400m-patch14-384", "so400m-patch14-384"),
    ("google/siglip2-so400m-patch16-256", "so400m-patch16-256"),
    ("google/siglip2-so400m-patch16-384", "so400m-patch16-384"),
    ("google/siglip2-so400m-patch16-512", "so400m-patch16-512"),
    (
        "google/siglip2-giant-opt-patch16-256",
        "giant-opt-patch16-256",
    ),
    (
        "google/siglip2-giant-opt-patch16-384",
        "giant-opt-patch16-384",
    ),
];

/// Mean and standard deviation of each channel, from `preprocessor_config.json`.
const HALF: [f32; 3] = [0.5; 3];

/// The vision transformer of SigLIP (arXiv 2303.15343) and, at fixed image sizes, of SigLIP 2 (arXiv
/// 2502.14786).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiglipConfig {
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
    /// Hidden state read: 0 is the embeddings, `n` the output of block `n`, −1 the last block's,
    /// before the norm that follows it. The default is what Hugging Face's LLaVA assumes. Of a
    /// list, the features stand side by side in its order.
    #[serde(default = "default_layer")]
    pub layer: OneOrMany<i64>,
    /// Tokens kept: all of them, or all but the first. SigLIP has no class token, yet Hugging Face's
    /// LLaVA drops the first patch where its config says
    /// `vision_feature_select_strategy = "default"`.
    #[serde(default)]
    pub select: SiglipSelect,
    /// Function inside a block's MLP.
    #[serde(default = "default_activation")]
    pub activation: Activation,
    /// Added to the variance in layer norms.
    #[serde(default = "default_layer_norm_eps")]
    pub layer_norm_eps: f64,
}

/// Which tokens of the hidden state go on to the projector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SiglipSelect {
    /// All patches.
    #[default]
    Full,
    /// All patches but the first.
    DropFirst,
}

fn default_activation() -> Activation {
    Activation::GeluPytorchTanh
}

fn default_layer_norm_eps() -> f64 {
    1e-6
}

impl SiglipConfig {
    /// ViT-B/16 at 224 pixels, `google/siglip-base-patch16-224`: also what transformers assumes of
    /// sizes that a config leaves out.
    fn base() -> Self {
        Self {
            image_size: 224,
            patch_size: 16,
            hidden_size: 768,
            intermediate_size: 3072,
            num_layers: 12,
            num_heads: 12,
            layer: default_layer(),
            select: SiglipSelect::Full,
            activation: default_activation(),
            layer_norm_eps: default_layer_norm_eps(),
        }
    }

    fn large() -> Self {
        Self {
            hidden_size: 1024,
            intermediate_size: 4096,
            num_layers: 24,
            num_heads: 16,
            ..Self::base()
        }
    }

    /// The shape-optimised transformer of 400 million parameters (arXiv 2305.13035).
    fn so400m() -> Self {
        Self {
            hidden_size: 1152,
            intermediate_size: 4304,
            num_layers: 27,
            num_heads: 16,
            ..Self::base()
        }
    }

    fn giant_opt() -> Self {
        Self {
            hidden_size: 1536,
            intermediate_size: 6144,
            num_layers: 40,
            num_heads: 16,
            ..Self::base()
        }
    }

    /// The same transformer for another image.
    fn at(self, patch_size: usize, image_size: usize) -> Self {
        Self {
            image_size,
            patch_size,
            ..self
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
        let skip = usize::from(self.select == SiglipSelect::DropFirst);
        if self.sizes().side() == 1 && skip == 1 {
            let message = "`drop_first` leaves nothing of an image of one patch";
            return Err(BuildError::invalid(Self::NAME, "select", message));
        }
        Features::new(Self::NAME, &self.layer, self.num_layers, 0..skip)
    }
}

impl EncoderConfig for SiglipConfig {
    type Encoder = Siglip;
    const NAME: &'static str = "siglip";
    const MODEL_TYPES: &'static [&'static str] = &["siglip", "siglip_vision_model"];
    const RESIZE: Resize = Resize::Naive;
    const CHOICES: &'static [&'static str] = &["layer", "select"];
    const PUBLISHED: &'static [(&'static str, &'static str)] = &PUBLISHED;

    fn tiny() -> Self {
        Self {
            image_size: 23,
            patch_size: 7,
            hidden_size: 16,
            intermediate_size: 24,
            num_layers: 2,
            num_heads: 2,
            ..Self::base()
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![
            ("base-patch16-224", Self::base()),
            ("base-patch16-256", Self::base().at(16, 256)),
            ("base-patch16-384", Self::base().at(16, 384)),
            ("base-patch16-512", Self::base().at(16, 512)),
            ("base-patch32-256", Self::base().at(32, 256)),
            ("large-patch16-256", Self::large().at(16, 256)),
            ("large-patch16-384", Self::large().at(16, 384)),
            ("large-patch16-512", Self::large().at(16, 512)),
            ("so400m-patch14-224", Self::so400m().at(14, 224)),
            ("so400m-patch14-384", Self::so400m().at(14, 384)),
            ("so400m-patch16-256", Self::so400m().at(16, 256)),
            ("so400m-patch16-384", Self::so400m().at(16, 384)),
            ("so400m-patch16-512", Self::so400m().at(16, 512)),
            ("giant-opt-patch16-256", Self::giant_opt().at(16, 256)),
            ("giant-opt-patch16-384", Self::giant_opt().at(16, 384)),
        ]
    }

    fn spec(&self) -> Result<EncoderSpec, BuildError> {
        let features = self.features()?;
        let side = self.sizes().side();
        let (tokens, grid) = match self.select {
            SiglipSelect::Full => (side * side, Some([side, side])),
            SiglipSelect::DropFirst => (side * side - 1, None),
        };
        Ok(EncoderSpec {
            image_size: self.image_size,
            tokens,
            grid,
            has_class_token: false,
            feature_size: features.count() * self.hidden_size,
            mean: HALF,
            std: HALF,
        })
    }

    fn init(&self, device: &Device) -> Result<Siglip, BuildError> {
        let features = self.features()?;
        // The scales at which transformers draws them (`SiglipPreTrainedModel._init_weights`):
        // Glorot's for linear layers, LeCun's for the patches.
        let (hidden, inner) = (self.hidden_size as f64, self.intermediate_size as f64);
        let width_std = hidden.powf(-0.5);
        let mlp_std = (2.0 / (hidden + inner)).sqrt();
        let sizes = BlockSizes {
            std: BlockStd {
                query_key_value: width_std,
                output: width_std,
                fc1: mlp_std,
                fc2: mlp_std,
            },
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            heads: self.num_heads,
            layer_norm_eps: self.layer_norm_eps,
            activation: self.activation,
        };
        let side = self.sizes().side();
        let patch_std = (3.0 * (self.patch_size * self.patch_size) as f64).powf(-0.5);
        Ok(Siglip {
            patch_embedding: PatchEmbedding::new(
                self.hidden_size,
                self.patch_size,
                true,
                patch_std,
                device,
            ),
            position_embedding: normal(width_std).init([side * side, self.hidden_size], device),
            layers: (0..self.num_layers)
                .map(|_| Block::new(sizes, device))
                .collect(),
            post_layernorm: sizes.layer_norm(device),
            features,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let patches = "embeddings.patch_embedding";
        let mut tensors = vec![
            TensorName::as_is("patch_embedding.weight", &format!("{patches}.weight")),
            TensorName::as_is("patch_embedding.bias", &format!("{patches}.bias")),
            TensorName::as_is("position_embedding", "embeddings.position_embedding.weight"),
        ];
        tensors.extend(block_names());
        Checkpoint::with_prefixes(
            &["vision_model.", ""],
            &tensors,
            &[
                "embeddings.position_ids",
                // Pools the tokens to one, which the projector does not want.
                "head.**",
                "text_model.**",
                "logit_scale",
                "logit_bias",
            ],
        )
    }

    /// Field names and defaults of `SiglipVisionConfig`. The original LLaVA's code keeps all tokens
    /// of SigLIP whatever its config selects.
    fn from_hf(config: &serde_json::Value) -> Result<toml::Table, BuildError> {
        let names = SelectNames {
            default: "drop_first",
            full: "full",
            patch: "full",
            cls_patch: "full",
        };
        let hf = HfConfig::new(Self::NAME, config, "vision_config");
        let hf = choices_from_hf(hf, names)?;
        if is_original(&hf) {
            return Ok(hf.into_options());
        }
        let options = Self::base()
            .sizes()
            .read_hf(hf)?
            .set("activation", &["hidden_act"], "gelu_pytorch_tanh")?
            .set("layer_norm_eps", &["layer_norm_eps"], 1e-6)?;
        Ok(options.into_options())
    }

    fn to_hf(&self) -> Option<HfParts> {
        let select = match self.select {
            SiglipSelect::Full => "full",
            SiglipSelect::DropFirst => "default",
        };
        let config = [
            ("architectures", json!(["SiglipVisionModel"])),
            ("model_type", json!("siglip_vision_model")),
            ("num_channels", json!(3)),
            ("hidden_act", json!(self.activation)),
            ("layer_norm_eps", json!(self.layer_norm_eps)),
            ("vision_use_head", json!(false)),
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

menagerie_core::register_encoder!(SiglipConfig);

/// SigLIP's vision transformer, without the head that pools its tokens to one. It holds the weights
/// after the hidden state that is read, too.
#[derive(Module, Debug)]
pub struct Siglip {
    patch_embedding: PatchEmbedding,
    /// `[patch, hidden]`
    position_embedding: Param<Tensor<2>>,
    layers: Vec<Block>,
    post_layernorm: LayerNorm,
    #[module(skip)]
    features: Features,
}

impl Encoder for Siglip {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let embedded = self.embed(pixels);
        self.run(embedded, &mut |index, hidden| self.block(index, hidden))
    }

    fn blocks(&self) -> Option<&dyn EncoderBlocks> {
        Some(self)
    }
}

impl EncoderBlocks for Siglip {
    fn count(&self) -> usize {
        self.features.blocks()
    }

    /// `[batch, channel, height, width]` -> `[batch, patch, hidden]`, each with its position.
    fn embed(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.patch_embedding.forward(pixels) + self.position_embedding.val().unsqueeze()
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
