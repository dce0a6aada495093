//! `convnext`: the convolutional network of Liu et al. 2022 (arXiv 2201.03545), trained on ImageNet
//! or as the image tower of a CLIP, as timm's ConvNeXt and Hugging Face's `ConvNextModel` compute
//! it.

mod hf;
mod names;
mod stage;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::hf::HfParts;
use menagerie_core::nn::LayerNorm;
use menagerie_core::{
    BuildError, Checkpoint, Encoder, EncoderBlocks, EncoderConfig, EncoderSpec, OneOrMany,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::features::Features;
use crate::pixels::{CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD};
use crate::sizes::MAX_IMAGE_SIZE;
use stage::{Stage, Stem};

/// The convolutional network of arXiv 2201.03545, trained on ImageNet or as the image tower of a
/// CLIP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvNextConfig {
    /// Side of the square input, in pixels: any, as no weight depends on it. What a convolution of
    /// stride 2 and more leaves over at the right and below is not seen.
    pub image_size: usize,
    /// Side of a patch of the stem, in pixels. Each stage after the first halves the map once more.
    #[serde(default = "default_patch_size")]
    pub patch_size: usize,
    /// Features of each stage, the first stage's first.
    pub hidden_sizes: Vec<usize>,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// The map that is read: 0 is the stem's, `n` the output of stage `n`, −1 the last stage's. Of a
    /// list, the features stand side by side in its order; the maps must be of one size.
    #[serde(default = "default_layer")]
    pub layer: OneOrMany<i64>,
    /// Statistics of the pixels that the weights were trained with.
    #[serde(default)]
    pub statistics: Statistics,
    /// Added to the variance in layer norms. 1e-5 in the xxlarge model.
    #[serde(default = "default_layer_norm_eps")]
    pub layer_norm_eps: f64,
}

/// Whose mean and standard deviation normalise the pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Statistics {
    /// ImageNet's.
    #[default]
    Imagenet,
    /// Those of OpenAI's training images, as CLIP models take them.
    Clip,
}

fn default_patch_size() -> usize {
    4
}

fn default_layer() -> OneOrMany<i64> {
    OneOrMany::one(-1)
}

fn default_layer_norm_eps() -> f64 {
    ConvNextConfig::EPSILON
}

/// Most stages. The published models have 4.
const MAX_STAGES: usize = 8;

/// Most blocks of a stage. The published models have up to 30.
const MAX_DEPTH: usize = 256;

impl ConvNextConfig {
    /// The epsilon of all models but the largest.
    const EPSILON: f64 = 1e-6;

    /// `facebook/convnext-tiny-224`: also what transformers assumes of sizes that a config leaves
    /// out.
    fn sized(hidden_size: usize, depths: [usize; 4]) -> Self {
        Self {
            image_size: 224,
            patch_size: default_patch_size(),
            hidden_sizes: [1, 2, 4, 8].map(|times| times * hidden_size).to_vec(),
            depths: depths.to_vec(),
            layer: default_layer(),
            statistics: Statistics::Imagenet,
            layer_norm_eps: Self::EPSILON,
        }
    }

    /// As trained as the image tower of a CLIP by LAION.
    fn clip(self, image_size: usize) -> Self {
        Self {
            image_size,
            statistics: Statistics::Clip,
            ..self
        }
    }

    /// Sides of the maps, the stem's and each stage's.
    fn sides(&self) -> Vec<usize> {
        let stem = self.image_size / self.patch_size;
        let stages = (0..self.hidden_sizes.len()).map(|stage| stem >> stage);
        std::iter::once(stem).chain(stages).collect()
    }

    /// Features of map `layer`, which is the stem's or a stage's.
    fn width(&self, layer: usize) -> usize {
        self.hidden_sizes[layer.saturating_sub(1)]
    }

    /// Checks the options. What is read of the model is in `layer`s.
    fn features(&self) -> Result<Features, BuildError> {
        let invalid = |key, message: String| Err(BuildError::invalid(Self::NAME, key, message));
        let stages = self.hidden_sizes.len();
        if !(1..=MAX_STAGES).contains(&stages) {
            let message = format!("states {stages} stages; there must be from 1 to {MAX_STAGES}");
            return invalid("hidden_sizes", message);
        }
        if self.depths.len() != stages {
            let message = format!(
                "states {} stages, and `hidden_sizes` {stages}",
                self.depths.len()
            );
            return invalid("depths", message);
        }
        let image = [
            ("image_size", self.image_size),
            ("patch_size", self.patch_size),
        ];
        let widths = self.hidden_sizes.iter().map(|&size| ("hidden_sizes", size));
        BuildError::check_sizes(Self::NAME, image.into_iter().chain(widths))?;
        if let Some(depth) = self
            .depths
            .iter()
            .find(|depth| !(1..=MAX_DEPTH).contains(*depth))
        {
            let message = format!("has {depth} blocks; a stage has from 1 to {MAX_DEPTH}");
            return invalid("depths", message);
        }
        if self.image_size > MAX_IMAGE_SIZE {
            let message = format!(
                "is {}; it must be at most {MAX_IMAGE_SIZE}",
                self.image_size
            );
            return invalid("image_size", message);
        }
        let sides = self.sides();
        if sides.contains(&0) {
            let least = self.patch_size << (stages - 1);
            let message = format!(
                "is {}; {stages} stages over patches of {} need {least}",
                self.image_size, self.patch_size
            );
            return invalid("image_size", message);
        }
        let features = Features::new(Self::NAME, &self.layer, stages, 0..0)?;
        let read = features.states();
        let first = sides[read[0]];
        if let Some(&other) = read.iter().find(|&&layer| sides[layer] != first) {
            let message = format!(
                "map {} has {first} × {first} places and map {other} {} × {}; features stand side \
                 by side only where maps are of one size, as those of the stem and of stage 1",
                read[0], sides[other], sides[other]
            );
            return invalid("layer", message);
        }
        Ok(features)
    }

    /// The sizes of a preset of that name.
    fn preset(name: &str) -> Self {
        let mut presets = Self::presets().into_iter();
        let found = presets.find(|(preset, _)| *preset == name);
        found.expect("a preset of this file").1
    }
}

impl EncoderConfig for ConvNextConfig {
    type Encoder = ConvNext;
    const NAME: &'static str = "convnext";
    const MODEL_TYPES: &'static [&'static str] = &["convnext"];
    const CHOICES: &'static [&'static str] = &["image_size", "layer", "statistics"];
    const PUBLISHED: &'static [(&'static str, &'static str)] = &[
        ("facebook/convnext-tiny-224", "tiny"),
        ("facebook/convnext-small-224", "small"),
        ("facebook/convnext-base-224", "base"),
        ("facebook/convnext-large-224", "large"),
        ("facebook/convnext-xlarge-224-22k", "xlarge"),
        (
            "laion/CLIP-convnext_base_w-laion2B-s13B-b82K",
            "clip-base-256",
        ),
        (
            "laion/CLIP-convnext_base_w_320-laion_aesthetic-s13B-b82K",
            "clip-base-320",
        ),
        (
            "laion/CLIP-convnext_large_d.laion2B-s26B-b102K-augreg",
            "clip-large-d-256",
        ),
        (
            "laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup",
            "clip-large-d-320",
        ),
        (
            "laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg-soup",
            "clip-xxlarge",
        ),
    ];

    fn tiny() -> Self {
        Self {
            image_size: 16,
            patch_size: 2,
            hidden_sizes: vec![8, 12],
            depths: vec![1, 2],
            ..Self::sized(8, [1; 4])
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        let tiny = Self::sized(96, [3, 3, 9, 3]);
        let small = Self::sized(96, [3, 3, 27, 3]);
        let base = Self::sized(128, [3, 3, 27, 3]);
        let large = Self::sized(192, [3, 3, 27, 3]);
        let xlarge = Self::sized(256, [3, 3, 27, 3]);
        let largest = Self {
            layer_norm_eps: 1e-5,
            ..Self::sized(384, [3, 4, 30, 3])
        };
        vec![
            ("tiny", tiny),
            ("small", small),
            ("base", base.clone()),
            ("large", large.clone()),
            ("xlarge", xlarge),
            ("clip-base-256", base.clone().clip(256)),
            ("clip-base-320", base.clip(320)),
            ("clip-large-d-256", large.clone().clip(256)),
            ("clip-large-d-320", large.clip(320)),
            ("clip-xxlarge", largest.clip(256)),
        ]
    }

    fn spec(&self) -> Result<EncoderSpec, BuildError> {
        let read = self.features()?.states();
        let side = self.sides()[read[0]];
        let (mean, std) = match self.statistics {
            Statistics::Imagenet => (IMAGENET_MEAN, IMAGENET_STD),
            Statistics::Clip => (CLIP_MEAN, CLIP_STD),
        };
        Ok(EncoderSpec {
            image_size: self.image_size,
            tokens: side * side,
            grid: Some([side, side]),
            has_class_token: false,
            feature_size: read.iter().map(|&layer| self.width(layer)).sum(),
            mean,
            std,
        })
    }

    fn init(&self, device: &Device) -> Result<ConvNext, BuildError> {
        let features = self.features()?;
        let epsilon = self.layer_norm_eps;
        let stage = |(index, (&hidden, &depth)): (usize, (&usize, &usize))| {
            let before = index.checked_sub(1).map(|before| self.hidden_sizes[before]);
            Stage::new(before, hidden, depth, epsilon, device)
        };
        let sizes = self.hidden_sizes.iter().zip(&self.depths);
        let last = self.width(self.hidden_sizes.len());
        Ok(ConvNext {
            stem: Stem::new(self.hidden_sizes[0], self.patch_size, epsilon, device),
            stages: sizes.enumerate().map(stage).collect(),
            norm: LayerNorm::new(last, epsilon, device),
            sides: self.sides(),
            features,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        names::checkpoint()
    }

    fn from_hf(config: &serde_json::Value) -> Result<toml::Table, BuildError> {
        hf::read(config)
    }

    fn to_hf(&self) -> Option<HfParts> {
        hf::write(self)
    }
}

menagerie_core::register_encoder!(ConvNextConfig);

/// A ConvNeXt without its head. It holds the weights after the map that is read, too, up to the
/// norm of the pooled features.
#[derive(Module, Debug)]
pub struct ConvNext {
    stem: Stem,
    stages: Vec<Stage>,
    norm: LayerNorm,
    #[module(skip)]
    sides: Vec<usize>,
    #[module(skip)]
    features: Features,
}

impl ConvNext {
    /// Blocks that are run before the map `layer` is there.
    fn blocks_before(&self, layer: usize) -> usize {
        let stages = self.stages.iter().take(layer);
        stages.map(|stage| stage.blocks.len()).sum()
    }
}

impl Encoder for ConvNext {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let embedded = self.embed(pixels);
        self.run(embedded, &mut |index, hidden| self.block(index, hidden))
    }

    fn blocks(&self) -> Option<&dyn EncoderBlocks> {
        Some(self)
    }
}

impl EncoderBlocks for ConvNext {
    /// The blocks of all stages up to the last that is read.
    fn count(&self) -> usize {
        self.blocks_before(self.features.blocks())
    }

    /// `[batch, channel, height, width]` -> `[batch, token, hidden]`, the stem's map.
    fn embed(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.stem.forward(pixels)
    }

    /// The first block of a stage halves the map before it:
    /// `[batch, token, hidden]` -> `[batch, token / 4, hidden of the stage]`
    fn block(&self, index: usize, hidden: Tensor<3>) -> Tensor<3> {
        let mut place = index;
        for (stage, side) in self.stages.iter().zip(self.sides.windows(2)) {
            let Some(block) = stage.blocks.get(place) else {
                place -= stage.blocks.len();
                continue;
            };
            let hidden = match &stage.downsample {
                Some(downsample) if place == 0 => downsample.forward(hidden, side[0]),
                _ => hidden,
            };
            return block.forward(hidden, side[1]);
        }
        hidden
    }

    fn states(&self) -> Vec<usize> {
        let layers = self.features.states().into_iter();
        layers.map(|layer| self.blocks_before(layer)).collect()
    }

    fn finish(&self, states: Vec<Tensor<3>>) -> Tensor<3> {
        self.features.join(states)
    }
}

#[cfg(test)]
mod tests;
