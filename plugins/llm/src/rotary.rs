//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the layout of Hugging Face's
//! LLaMA checkpoints: feature `i` turns with feature `i + dim / 2` of the `dim` first features of a head,
//! all as a rule.

use burn::tensor::{DType, FloatDType, Int, Tensor, TensorData};
use menagerie_core::nn::turn_halves;

/// Cosine and sine of every token's angles, shared by all blocks of a pass.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// `[batch, 1, token, dim / 2]`
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl Rotary {
    /// Angle `position · frequency` for `positions` `[batch, token]` and `dim / 2`
    /// frequencies, in f32 whatever the `dtype` of the result; cosine and sine times `amplitude`.
    pub(crate) fn new(
        positions: Tensor<2, Int>,
        frequencies: &[f32],
        amplitude: f64,
        dtype: DType,
    ) -> Self {
        let device = positions.device();
        let frequencies = TensorData::new(frequencies.to_vec(), [1, 1, 1, frequencies.len()]);
        let frequencies: Tensor<4> = Tensor::from_data(frequencies, (&device, DType::F32));
        let [batch, tokens] = positions.dims();
        let positions = positions
            .cast(FloatDType::F32)
            .reshape([batch, 1, tokens, 1]);
        let angles = positions * frequencies;
        let scale = |x: Tensor<4>| {
            if amplitude == 1.0 {
                x
            } else {
                x.mul_scalar(amplitude)
            }
        };
        Self {
            cos: scale(angles.clone().cos()).cast(dtype),
            sin: scale(angles.sin()).cast(dtype),
        }
    }

    /// Turns queries or keys: `[batch, heads, token, head_dim]` -> the same. Features after the first
    /// `dim` stay as they are.
    pub(crate) fn turn(&self, x: Tensor<4>) -> Tensor<4> {
        turn_halves(x, self.cos.clone(), self.sin.clone())
    }
}
