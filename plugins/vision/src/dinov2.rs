//! `dinov2`: the vision transformer of DINOv2 (Oquab et al. 2023, arXiv 2304.07193), with registers
//! (Darcet et al. 2023, arXiv 2309.16588) or without, as Hugging Face's `Dinov2Model` and
//! `Dinov2WithRegistersModel` compute it.

mod block;
mod hf;
mod names;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use menagerie_core::hf::HfParts;
use menagerie_core::nn::{INITIALIZER_RANGE, LayerNorm, normal};
use menagerie_core::{
    BuildError, Checkpoint, Encoder, EncoderBlocks, EncoderConfig, EncoderSpec, OneOrMany,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::features::{Features, Select, default_layer};
use crate::pixels::{IMAGENET_MEAN, IMAGENET_STD};
use crate::positions::{Grid, Interpolation};
use crate::sizes::Sizes;
use crate::vit::{Activation, BlockSizes, BlockStd, PatchEmbedding};
use block::Block;

/// Most times that a block may be as wide inside as outside.
const MAX_MLP_RATIO: usize = 64;

/// Most registers. The published models have 4.
const MAX_REGISTERS: usize = 1 << 10;

/// Standard deviation of fresh registers, as the authors' code draws them. Registers that are all
/// the same would stay so.
const REGISTER_STD: f64 = 1e-6;

/// The vision transformer of DINOv2 (arXiv 2304.07193), with registers (arXiv 2309.16588) or without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dinov2Config {
    /// Side of the square input, in pixels. Pixels beyond the last whole patch are not seen.
    pub image_size: usize,
    /// Side, in pixels, of the images that the position embeddings in the weights are for; 518 in
    /// the published ones. For an `image_size` of more or fewer patches they are interpolated.
    /// Default: `image_size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_image_size: Option<usize>,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Transformer blocks.
    pub num_layers: usize,
    /// Attention heads of a block.
    pub num_heads: usize,
    /// Width inside a block's MLP, as a multiple of `hidden_size`. A SwiGLU is two thirds as wide,
    /// up to the next multiple of 8.
    #[serde(default = "default_mlp_ratio")]
    pub mlp_ratio: usize,
    /// Whether a block's MLP is a SwiGLU (arXiv 2002.05202), as in the giant model.
    #[serde(default)]
    pub swiglu: bool,
    /// Register tokens, which stand between the class token and the patches. No features come of
    /// them.
    #[serde(default)]
    pub num_registers: usize,
    /// Hidden state read: 0 is the embeddings, `n` the output of block `n`, −1 the last block's,
    /// before the norm that follows it. LLaVA reads the one before the last (arXiv 2304.08485,
    /// section 4.1). Of a list, the features stand side by side in its order.
    #[serde(default = "default_layer")]
    pub layer: OneOrMany<i64>,
    /// Tokens kept.
    #[serde(default)]
    pub select: Select,
    /// Added to the variance in layer norms.
    #[serde(default = "default_layer_norm_eps")]
    pub layer_norm_eps: f64,
}

fn default_mlp_ratio() -> usize {
    4
}

fn default_layer_norm_eps() -> f64 {
    1e-6
}

impl Dinov2Config {
    /// ViT-B/14 at 518 pixels, `facebook/dinov2-base`.
    fn base() -> Self {
        Self {
            image_size: 518,
            trained_image_size: Some(518),
            patch_size: 14,
            hidden_size: 768,
            num_layers: 12,
            num_heads: 12,
            mlp_ratio: default_mlp_ratio(),
            swiglu: false,
            num_registers: 0,
            layer: default_layer(),
            select: Select::Patch,
            layer_norm_eps: default_layer_norm_eps(),
        }
    }

    /// The sizes of the published weights, without registers.
    fn published() -> [(&'static str, &'static str, Self); 4] {
        let sizes = |hidden_size, num_layers, num_heads| Self {
            hidden_size,
            num_layers,
            num_heads,
            ..Self::base()
        };
        let giant = Self {
            swiglu: true,
            ..sizes(1536, 40, 24)
        };
        [
            ("small", "small-registers", sizes(384, 12, 6)),
            ("base", "base-registers", Self::base()),
            ("large", "large-registers", sizes(1024, 24, 16)),
            ("giant", "giant-registers", giant),
        ]
    }

    /// Width inside a block's MLP, of each half of a gated one (`Dinov2MLP`, `Dinov2SwiGLUFFN`).
    fn intermediate_size(&self) -> usize {
        let inner = self.hidden_size * self.mlp_ratio;
        if self.swiglu {
            (inner * 2 / 3).next_multiple_of(8)
        } else {
            inner
        }
    }

    fn sizes(&self) -> Sizes {
        Sizes {
            image_size: self.image_size,
            patch_size: self.patch_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size(),
            num_layers: self.num_layers,
            num_heads: self.num_heads,
        }
    }

    /// The grid of the position embeddings, in patches a side.
    fn trained_side(&self) -> usize {
        self.trained_image_size.unwrap_or(self.image_size) / self.patch_size
    }

    /// Checks the options.
    fn features(&self) -> Result<Features, BuildError> {
        let invalid = |key, message: String| Err(BuildError::invalid(Self::NAME, key, message));
        BuildError::check_sizes(Self::NAME, [("hidden_size", self.hidden_size)])?;
        // So that the width inside is no larger than a size may be.
        let most = MAX_MLP_RATIO.min((1 << 24) / self.hidden_size);
        if !(1..=most).contains(&self.mlp_ratio) {
            let message = format!("is {}; it must be from 1 to {most}", self.mlp_ratio);
            return invalid("mlp_ratio", message);
        }
        self.sizes().check(Self::NAME)?;
        let trained = Sizes {
            image_size: self.trained_image_size.unwrap_or(self.image_size),
            ..self.sizes()
        };
        trained.check_image(Self::NAME, "trained_image_size")?;
        if self.num_registers > MAX_REGISTERS {
            let message = format!(
                "is {}; it must be at most {MAX_REGISTERS}",
                self.num_registers
            );
            return invalid("num_registers", message);
        }
        let first = match self.select {
            Select::Patch => 0,
            Select::ClsPatch => 1,
        };
        let left_out = first..1 + self.num_registers;
        Features::new(Self::NAME, &self.layer, self.num_layers, left_out)
    }

    /// The map of the position embeddings to this size of image, if they are for another.
    fn interpolation(&self) -> Option<Grid> {
        let (trained, side) = (self.trained_side(), self.sizes().side());
        // As the two models of transformers do it, and the authors' code.
        let how = if self.num_registers == 0 {
            Interpolation::Bicubic
        } else {
            Interpolation::BicubicAntialias
        };
        (trained != side).then(|| Grid::new(trained, side, how))
    }
}

impl EncoderConfig for Dinov2Config {
    type Encoder = Dinov2;
    const NAME: &'static str = "dinov2";
    const MODEL_TYPES: &'static [&'static str] = &["dinov2", hf::WITH_REGISTERS];
    const CHOICES: &'static [&'static str] = &["image_size", "layer", "select"];
    const PUBLISHED: &'static [(&'static str, &'static str)] = &[
        ("facebook/dinov2-small", "small"),
        ("facebook/dinov2-base", "base"),
        ("facebook/dinov2-large", "large"),
        ("facebook/dinov2-giant", "giant"),
        ("facebook/dinov2-with-registers-small", "small-registers"),
        ("facebook/dinov2-with-registers-base", "base-registers"),
        ("facebook/dinov2-with-registers-large", "large-registers"),
        ("facebook/dinov2-with-registers-giant", "giant-registers"),
    ];

    fn tiny() -> Self {
        Self {
            image_size: 28,
            trained_image_size: None,
            patch_size: 7,
            hidden_size: 16,
            num_layers: 2,
            num_heads: 2,
            mlp_ratio: 2,
            ..Self::base()
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        let with_registers = |config: &Self| Self {
            num_registers: 4,
            ..config.clone()
        };
        let published = Self::published();
        let registers = published
            .iter()
            .map(|(_, name, config)| (*name, with_registers(config)));
        let plain = published
            .iter()
            .map(|(name, _, config)| (*name, config.clone()));
        plain.chain(registers).collect()
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
            mean: IMAGENET_MEAN,
            std: IMAGENET_STD,
        })
    }

    fn init(&self, device: &Device) -> Result<Dinov2, BuildError> {
        let features = self.features()?;
        // As transformers draws them (`Dinov2PreTrainedModel._init_weights`).
        let std = INITIALIZER_RANGE;
        let sizes = BlockSizes {
            std: BlockStd {
                query_key_value: std,
                output: std,
                fc1: std,
                fc2: std,
            },
            hidden: self.hidden_size,
            intermediate: self.intermediate_size(),
            heads: self.num_heads,
            layer_norm_eps: self.layer_norm_eps,
            activation: Activation::Gelu,
        };
        let (hidden, places) = (self.hidden_size, self.trained_side().pow(2));
        Ok(Dinov2 {
            class_token: normal(std).init([1, 1, hidden], device),
            register_tokens: (self.num_registers > 0)
                .then(|| normal(REGISTER_STD).init([1, self.num_registers, hidden], device)),
            patch_embedding: PatchEmbedding::new(hidden, self.patch_size, true, std, device),
            position_embedding: normal(std).init([1, 1 + places, hidden], device),
            layers: (0..self.num_layers)
                .map(|_| Block::new(sizes, self.swiglu, device))
                .collect(),
            layernorm: sizes.layer_norm(device),
            interpolation: self.interpolation(),
            features,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        names::checkpoint(self.swiglu)
    }

    fn from_hf(config: &Value) -> Result<toml::Table, BuildError> {
        hf::read(config)
    }

    fn to_hf(&self) -> Option<HfParts> {
        Some(hf::write(self))
    }
}

menagerie_core::register_encoder!(Dinov2Config);

/// DINOv2's vision transformer. It holds every published weight but the mask token of the
/// pretraining, those after the hidden state that is read included.
#[derive(Module, Debug)]
pub struct Dinov2 {
    /// `[1, 1, hidden]`
    class_token: Param<Tensor<3>>,
    /// `[1, register, hidden]`
    register_tokens: Option<Param<Tensor<3>>>,
    patch_embedding: PatchEmbedding,
    /// `[1, 1 + place, hidden]`
    position_embedding: Param<Tensor<3>>,
    layers: Vec<Block>,
    layernorm: LayerNorm,
    #[module(skip)]
    interpolation: Option<Grid>,
    #[module(skip)]
    features: Features,
}

impl Dinov2 {
    /// The positions of the class token and the patches: `[1, 1 + patch, hidden]`
    fn positions(&self) -> Tensor<3> {
        let positions = self.position_embedding.val();
        let Some(grid) = &self.interpolation else {
            return positions;
        };
        let [_, count, _] = positions.dims();
        let class = positions.clone().narrow(1, 0, 1);
        let patches = grid.resample(positions.narrow(1, 1, count - 1));
        Tensor::cat(vec![class, patches], 1)
    }
}

impl Encoder for Dinov2 {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let embedded = self.embed(pixels);
        self.run(embedded, &mut |index, hidden| self.block(index, hidden))
    }

    fn blocks(&self) -> Option<&dyn EncoderBlocks> {
        Some(self)
    }
}

impl EncoderBlocks for Dinov2 {
    fn count(&self) -> usize {
        self.features.blocks()
    }

    /// `[batch, channel, height, width]` -> `[batch, 1 + register + patch, hidden]`: the class
    /// token, the registers, which have no position, and the patches.
    fn embed(&self, pixels: Tensor<4>) -> Tensor<3> {
        let patches = self.patch_embedding.forward(pixels);
        let [batch, count, hidden] = patches.dims();
        let positions = self.positions();
        let class = self.class_token.val() + positions.clone().narrow(1, 0, 1);
        let mut tokens = vec![class.expand([batch, 1, hidden])];
        if let Some(registers) = &self.register_tokens {
            let registers = registers.val();
            let [_, number, _] = registers.dims();
            tokens.push(registers.expand([batch, number, hidden]));
        }
        tokens.push(patches + positions.narrow(1, 1, count));
        Tensor::cat(tokens, 1)
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
