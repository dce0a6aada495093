//! `clip`: the vision transformer of CLIP (Radford et al. 2021, arXiv 2103.00020), as Hugging
//! Face's `CLIPVisionModel` computes it.

use burn::module::{Module, Param};
use burn::nn::LayerNorm;
use burn::tensor::{Device, Tensor};
use menagerie_core::hf::HfConfig;
use menagerie_core::nn::{INITIALIZER_RANGE, normal};
use menagerie_core::{BuildError, Checkpoint, Encoder, EncoderConfig, EncoderSpec, TensorName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::vit::Activation;
use crate::vit::{Block, BlockSizes, BlockStd, PatchEmbedding};

/// Mean of each channel in OpenAI's training images, from `preprocessor_config.json`.
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Standard deviation of each channel, likewise.
const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// The vision transformer of CLIP (arXiv 2103.00020).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClipConfig {
    /// Side of the square input, in pixels. A multiple of `patch_size`.
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
    /// LLaVA reads the one before the last (arXiv 2304.08485, section 4.1).
    #[serde(default = "default_layer")]
    pub layer: i64,
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

/// Which tokens of the hidden state go on to the projector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// The patches alone.
    #[default]
    Patch,
    /// The class token and the patches.
    ClsPatch,
}

fn default_layer() -> i64 {
    -2
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

    /// Blocks to run for the hidden state chosen.
    fn depth(&self) -> Result<usize, BuildError> {
        let states = i64::try_from(self.num_layers)
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        let index = if self.layer < 0 {
            states + self.layer
        } else {
            self.layer
        };
        usize::try_from(index)
            .ok()
            .filter(|_| index < states)
            .ok_or_else(|| {
                let last = states - 1;
                let message = format!(
                    "there is no hidden state {}; it goes from {} to {last}",
                    self.layer, -states
                );
                BuildError::invalid(Self::NAME, "layer", message)
            })
    }

    fn check(&self) -> Result<(), BuildError> {
        let sizes = [
            ("image_size", self.image_size),
            ("patch_size", self.patch_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_layers", self.num_layers),
            ("num_heads", self.num_heads),
        ];
        for (key, size) in sizes {
            if size == 0 {
                return Err(BuildError::invalid(Self::NAME, key, "must be at least 1"));
            }
        }
        if !self.image_size.is_multiple_of(self.patch_size) {
            let message = format!(
                "{} px is no multiple of patch_size = {}",
                self.image_size, self.patch_size
            );
            return Err(BuildError::invalid(Self::NAME, "image_size", message));
        }
        if !self.hidden_size.is_multiple_of(self.num_heads) {
            let message = format!(
                "{} is no multiple of num_heads = {}",
                self.hidden_size, self.num_heads
            );
            return Err(BuildError::invalid(Self::NAME, "hidden_size", message));
        }
        Ok(())
    }
}

impl EncoderConfig for ClipConfig {
    type Encoder = Clip;
    const NAME: &'static str = "clip";
    const MODEL_TYPES: &'static [&'static str] = &["clip", "clip_vision_model"];

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
        self.check()?;
        self.depth()?;
        let side = self.image_size / self.patch_size;
        let has_class_token = self.select == Select::ClsPatch;
        Ok(EncoderSpec {
            image_size: self.image_size,
            tokens: side * side + usize::from(has_class_token),
            grid: Some([side, side]),
            has_class_token,
            feature_size: self.hidden_size,
            mean: MEAN,
            std: STD,
        })
    }

    fn init(&self, device: &Device) -> Result<Clip, BuildError> {
        self.check()?;
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
        let side = self.image_size / self.patch_size;
        Ok(Clip {
            class_embedding: normal(width_std).init([self.hidden_size], device),
            patch_embedding: PatchEmbedding::new(self.hidden_size, self.patch_size, device),
            position_embedding: normal(INITIALIZER_RANGE)
                .init([side * side + 1, self.hidden_size], device),
            pre_layernorm: sizes.layer_norm(device),
            layers: (0..self.num_layers)
                .map(|_| Block::new(sizes, device))
                .collect(),
            post_layernorm: sizes.layer_norm(device),
            depth: self.depth()?,
            select: self.select,
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
        tensors.extend(TensorName::layer_norm(
            "layers.*.layer_norm1",
            "encoder.layers.*.layer_norm1",
        ));
        for (path, key) in [
            ("query", "q_proj"),
            ("key", "k_proj"),
            ("value", "v_proj"),
            ("output", "out_proj"),
        ] {
            tensors.extend(TensorName::linear(
                &format!("layers.*.attention.{path}"),
                &format!("encoder.layers.*.self_attn.{key}"),
            ));
        }
        tensors.extend(TensorName::layer_norm(
            "layers.*.layer_norm2",
            "encoder.layers.*.layer_norm2",
        ));
        tensors.extend(TensorName::linear(
            "layers.*.mlp.fc1",
            "encoder.layers.*.mlp.fc1",
        ));
        tensors.extend(TensorName::linear(
            "layers.*.mlp.fc2",
            "encoder.layers.*.mlp.fc2",
        ));
        tensors.extend(TensorName::layer_norm("post_layernorm", "post_layernorm"));
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
        let options = HfConfig::new(Self::NAME, config, "vision_config")
            .set("image_size", &["image_size"], 224)?
            .set("patch_size", &["patch_size"], 32)?
            .set("hidden_size", &["hidden_size"], 768)?
            .set("intermediate_size", &["intermediate_size"], 3072)?
            .set("num_layers", &["num_hidden_layers"], 12)?
            .set("num_heads", &["num_attention_heads"], 12)?
            .set("activation", &["hidden_act"], "quick_gelu")?
            .set("layer_norm_eps", &["layer_norm_eps"], 1e-5)?;
        Ok(options.into_options())
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
    depth: usize,
    #[module(skip)]
    select: Select,
}

impl Clip {
    /// `[batch, channel, height, width]` -> `[batch, 1 + patch, hidden]`: the class token and the
    /// patches, each with its position.
    fn embed(&self, pixels: Tensor<4>) -> Tensor<3> {
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
        let embedded = self.pre_layernorm.forward(self.embed(pixels));
        let hidden = self
            .layers
            .iter()
            .take(self.depth)
            .fold(embedded, |x, block| block.forward(x));
        match self.select {
            Select::ClsPatch => hidden,
            Select::Patch => {
                let [_, tokens, _] = hidden.dims();
                hidden.narrow(1, 1, tokens - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::DType;
    use menagerie_core::testing::{Reference, assert_close, check_encoder};
    use menagerie_core::weights::{self, Shards};

    use super::*;

    const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/clip");
    /// f32 against f64 differs by 9e-6 here, a wrong epsilon by 6.7e-5.
    const TOLERANCE: f64 = 3e-5;

    fn fixture(layer: i64, select: &str) -> (Clip, Reference) {
        let text = std::fs::read_to_string(format!("{FIXTURE}/config.json")).expect("config.json");
        let hf = serde_json::from_str(&text).expect("JSON");
        let mut options = ClipConfig::from_hf(&hf).expect("options");
        options.insert("layer".to_owned(), layer.into());
        options.insert("select".to_owned(), select.into());
        let config: ClipConfig = toml::Value::Table(options).try_into().expect("a config");
        let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
        let shards = Shards::open(FIXTURE.as_ref()).expect("weights");
        let checkpoint = EncoderConfig::checkpoint(&config);
        let loaded = weights::load(module, "clip", &checkpoint, &shards, DType::F32);
        let reference = Reference::open(format!("{FIXTURE}/expected.safetensors"));
        (loaded.expect("all weights").0, reference)
    }

    #[test]
    fn every_block_equals_transformers() {
        let (clip, reference) = fixture(-1, "cls_patch");
        let expect = |what: &str, actual: Tensor<3>| {
            assert_close(what, actual, reference.tensor(what), TOLERANCE);
        };
        let embedded = clip.embed(reference.tensor("pixel_values"));
        expect("embeddings", embedded.clone());
        let mut hidden = clip.pre_layernorm.forward(embedded);
        expect("pre_layernorm", hidden.clone());
        for (index, block) in clip.layers.iter().enumerate() {
            expect(&format!("hidden_states.{index}"), hidden.clone());
            let normed = block.layer_norm1.forward(hidden.clone());
            expect(&format!("block.{index}.layer_norm1"), normed.clone());
            let attended = block.attention.forward(normed);
            expect(&format!("block.{index}.attention"), attended.clone());
            let middle = block.layer_norm2.forward(hidden.clone() + attended);
            expect(&format!("block.{index}.mlp"), block.mlp.forward(middle));
            hidden = block.forward(hidden);
        }
        expect("hidden_states.3", hidden);
    }

    #[test]
    fn the_hidden_state_and_tokens_asked_for_are_read() {
        for (layer, state) in [(-1, 3), (-2, 2), (0, 0), (1, 1), (-4, 0)] {
            for (select, first) in [("cls_patch", 0), ("patch", 1)] {
                let (clip, reference) = fixture(layer, select);
                let expected: Tensor<3> = reference.tensor(&format!("hidden_states.{state}"));
                let features = clip.forward(reference.tensor("pixel_values"));
                let what = format!("layer {layer}, {select}");
                assert_close(
                    &what,
                    features,
                    expected.narrow(1, first, 17 - first),
                    TOLERANCE,
                );
            }
        }
    }

    #[test]
    fn published_sizes_have_their_published_number_of_parameters() {
        for (name, config) in ClipConfig::presets() {
            let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
            let expected = match name {
                "vit-l-14" => 303_179_776,
                _ => 303_507_456,
            };
            assert_eq!(Module::num_params(&module), expected, "{name}");
        }
    }

    #[test]
    fn keeps_the_contract() {
        check_encoder("clip");
    }

    #[test]
    fn a_hidden_state_that_does_not_exist_is_an_error() {
        let config = ClipConfig {
            layer: -26,
            ..ClipConfig::large(224)
        };
        let message = EncoderConfig::spec(&config)
            .expect_err("an error")
            .to_string();
        assert_eq!(
            message,
            "`layer` of `clip`: there is no hidden state -26; it goes from -25 to 24"
        );
    }
}
