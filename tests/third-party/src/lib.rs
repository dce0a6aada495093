//! `patchify`: Acme's encoder. An image's patches, flattened, through one linear map.

use menagerie::burn::module::Module;
use menagerie::burn::{self, tensor::Device, tensor::Tensor};
use menagerie::hf::HfConfig;
use menagerie::nn::Linear;
use menagerie::schemars::JsonSchema;
use menagerie::serde::{Deserialize, Serialize};
use menagerie::{BuildError, Checkpoint, Encoder, EncoderConfig, EncoderSpec, TensorName};
use menagerie::{serde_json::Value, toml::Table};

/// Patches through one linear map.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", deny_unknown_fields)]
#[schemars(crate = "menagerie::schemars")]
pub struct PatchifyConfig {
    /// Side of the square input, in pixels. A multiple of `patch_size`.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Features of a patch.
    pub feature_size: usize,
}

impl EncoderConfig for PatchifyConfig {
    type Encoder = Patchify;
    const NAME: &'static str = "patchify";
    const MODEL_TYPES: &'static [&'static str] = &["acme_patchify"];

    fn tiny() -> Self {
        Self {
            image_size: 8,
            patch_size: 4,
            feature_size: 6,
        }
    }

    fn spec(&self) -> Result<EncoderSpec, BuildError> {
        if self.patch_size == 0 || !self.image_size.is_multiple_of(self.patch_size) {
            return Err(BuildError::invalid(
                Self::NAME,
                "patch_size",
                "must divide image_size",
            ));
        }
        let side = self.image_size / self.patch_size;
        Ok(EncoderSpec {
            image_size: self.image_size,
            tokens: side * side,
            grid: Some([side, side]),
            has_class_token: false,
            feature_size: self.feature_size,
            mean: [0.5; 3],
            std: [0.5; 3],
        })
    }

    fn init(&self, device: &Device) -> Result<Patchify, BuildError> {
        self.spec()?;
        let values = 3 * self.patch_size * self.patch_size;
        Ok(Patchify {
            patch_size: self.patch_size,
            linear: Linear::new(values, self.feature_size, true, device),
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let tensors = TensorName::linear("linear", "patch_projection");
        Checkpoint::with_prefixes(&["vision_model."], &tensors, &["text_model.**"])
    }

    fn from_hf(config: &Value) -> Result<Table, BuildError> {
        Ok(HfConfig::new(Self::NAME, config, "vision_config")
            .set("image_size", &["image_size"], 224)?
            .set("patch_size", &["patch_size"], 16)?
            .set("feature_size", &["hidden_size"], 768)?
            .into_options())
    }
}

menagerie::register_encoder!(PatchifyConfig);

#[derive(Module, Debug)]
pub struct Patchify {
    patch_size: usize,
    linear: Linear,
}

impl Encoder for Patchify {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let ([batch, channels, height, width], p) = (pixels.dims(), self.patch_size);
        let (rows, columns) = (height / p, width / p);
        // [batch, channel, row, y, column, x] -> [batch, row, column, channel, y, x]
        let patches = pixels
            .reshape([batch, channels, rows, p, columns, p])
            .permute([0, 2, 4, 1, 3, 5]);
        self.linear
            .forward(patches.reshape([batch, rows * columns, channels * p * p]))
    }
}
