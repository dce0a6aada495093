//! `colour-grid`: an image as the mean colours of a grid of cells.

use menagerie::burn;
use menagerie::burn::module::Module;
use menagerie::burn::tensor::{Device, Tensor};
use menagerie::nn::Linear;
use menagerie::schemars::JsonSchema;
use menagerie::serde::{Deserialize, Serialize};
use menagerie::{BuildError, Checkpoint, Encoder, EncoderConfig, EncoderSpec, TensorName};

/// The mean colour of each cell of a grid, through one linear layer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", deny_unknown_fields)]
#[schemars(crate = "menagerie::schemars")]
pub struct ColourGridConfig {
    /// Side of the square input, in pixels. A multiple of `side`.
    pub image_size: usize,
    /// Cells of a row and of a column.
    pub side: usize,
    /// Features of a cell.
    pub hidden_size: usize,
}

impl EncoderConfig for ColourGridConfig {
    type Encoder = ColourGrid;
    const NAME: &'static str = "colour-grid";

    fn tiny() -> Self {
        Self {
            image_size: 6,
            side: 3,
            hidden_size: 5,
        }
    }

    fn spec(&self) -> Result<EncoderSpec, BuildError> {
        if self.side == 0 || !self.image_size.is_multiple_of(self.side) {
            let message = "must divide image_size";
            return Err(BuildError::invalid(Self::NAME, "side", message));
        }
        Ok(EncoderSpec {
            image_size: self.image_size,
            tokens: self.side * self.side,
            grid: Some([self.side, self.side]),
            has_class_token: false,
            feature_size: self.hidden_size,
            mean: [0.5; 3],
            std: [0.5; 3],
        })
    }

    fn init(&self, device: &Device) -> Result<ColourGrid, BuildError> {
        self.spec()?;
        Ok(ColourGrid {
            linear: Linear::fan_in(3, self.hidden_size, device),
            side: self.side,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::with_prefixes(&[""], &TensorName::linear("linear", "linear"), &[])
    }
}

menagerie::register_encoder!(ColourGridConfig);

/// `mean(cell) W + b`
#[derive(Module, Debug)]
pub struct ColourGrid {
    linear: Linear,
    #[module(skip)]
    side: usize,
}

impl Encoder for ColourGrid {
    /// `[batch, channel, height, width]` -> `[batch, cell, hidden]`
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let ([batch, channels, height, width], side) = (pixels.dims(), self.side);
        let cells = pixels
            .reshape([batch, channels, side, height / side, side, width / side])
            .mean_dim(3)
            .mean_dim(5)
            .reshape([batch, channels, side * side])
            .swap_dims(1, 2);
        self.linear.forward(cells)
    }
}
