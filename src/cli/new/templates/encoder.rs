//! `new-plugin`: an encoder that cuts an image into patches and maps each to a vector.

use menagerie::burn;
use menagerie::burn::module::Module;
use menagerie::burn::tensor::{Device, Tensor};
use menagerie::nn::Linear;
use menagerie::schemars::JsonSchema;
use menagerie::serde::{Deserialize, Serialize};
use menagerie::{BuildError, Checkpoint, Encoder, EncoderConfig, EncoderSpec, TensorName};

/// Patches of an image, each mapped to a vector by one linear layer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", deny_unknown_fields)]
#[schemars(crate = "menagerie::schemars")]
pub struct NewPluginEncoderConfig {
    /// Side of the square input, in pixels. A multiple of `patch_size`.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Features of a patch.
    pub hidden_size: usize,
}

impl EncoderConfig for NewPluginEncoderConfig {
    type Encoder = NewPluginEncoder;
    const NAME: &'static str = "new-plugin";

    fn tiny() -> Self {
        Self {
            image_size: 8,
            patch_size: 4,
            hidden_size: 6,
        }
    }

    fn spec(&self) -> Result<EncoderSpec, BuildError> {
        let sizes = [
            ("image_size", self.image_size),
            ("patch_size", self.patch_size),
            ("hidden_size", self.hidden_size),
        ];
        BuildError::check_sizes(Self::NAME, sizes)?;
        if !self.image_size.is_multiple_of(self.patch_size) {
            let message = format!("must be a multiple of patch_size = {}", self.patch_size);
            return Err(BuildError::invalid(Self::NAME, "image_size", message));
        }
        let side = self.image_size / self.patch_size;
        Ok(EncoderSpec {
            image_size: self.image_size,
            tokens: side * side,
            grid: Some([side, side]),
            has_class_token: false,
            feature_size: self.hidden_size,
            mean: [0.5; 3],
            std: [0.5; 3],
        })
    }

    fn init(&self, device: &Device) -> Result<NewPluginEncoder, BuildError> {
        self.spec()?;
        let values = 3 * self.patch_size * self.patch_size;
        Ok(NewPluginEncoder {
            projection: Linear::fan_in(values, self.hidden_size, device),
            patch_size: self.patch_size,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let names = TensorName::linear("projection", "projection");
        Checkpoint::with_prefixes(&[""], &names, &[])
    }
}

menagerie::register_encoder!(NewPluginEncoderConfig);

/// `x W + b` for every patch.
#[derive(Module, Debug)]
pub struct NewPluginEncoder {
    projection: Linear,
    #[module(skip)]
    patch_size: usize,
}

impl Encoder for NewPluginEncoder {
    /// `[batch, channel, height, width]` -> `[batch, patch, hidden]`
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let [batch, channels, height, width] = pixels.dims();
        let patch = self.patch_size;
        let (rows, columns) = (height / patch, width / patch);
        let patches = pixels
            .reshape([batch, channels, rows, patch, columns, patch])
            .permute([0, 2, 4, 1, 3, 5]) // [batch, row, column, channel, y, x]
            .reshape([batch, rows * columns, channels * patch * patch]);
        self.projection.forward(patches)
    }
}
