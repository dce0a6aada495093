//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the layout of Hugging Face's
//! LLaMA checkpoints: feature `i` turns with feature `i + head_dim / 2`.

use burn::tensor::{DType, Int, Tensor, TensorData};

/// Cosine and sine of every token's angles, shared by all blocks of a pass.
#[derive(Debug, Clone)]
pub(crate) struct Rotary {
    /// `[batch, 1, token, head_dim / 2]`
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl Rotary {
    /// Angle `position · theta^(−2i / head_dim)` for `positions` `[batch, token]`, in f32.
    pub(crate) fn new(
        positions: Tensor<2, Int>,
        head_dim: usize,
        theta: f64,
        dtype: DType,
    ) -> Self {
        let half = head_dim / 2;
        #[expect(clippy::cast_possible_truncation)]
        let frequencies: Vec<f32> = (0..half)
            .map(|i| theta.powf(-((2 * i) as f64) / head_dim as f64) as f32)
            .collect();
        let device = positions.device();
        let frequencies = TensorData::new(frequencies, [1, 1, 1, half]);
        let frequencies: Tensor<4> = Tensor::from_data(frequencies, (&device, DType::F32));
        let [batch, tokens] = positions.dims();
        let positions = positions
            .float()
            .cast(DType::F32)
            .reshape([batch, 1, tokens, 1]);
        let angles = positions * frequencies;
        Self {
            cos: angles.clone().cos().cast(dtype),
            sin: angles.sin().cast(dtype),
        }
    }

    /// Turns queries or keys: `[batch, heads, token, head_dim]` -> the same.
    pub(crate) fn turn(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, _, head_dim] = x.dims();
        let half = head_dim / 2;
        let first = x.clone().narrow(3, 0, half);
        let second = x.narrow(3, half, half);
        let turned_first = first.clone() * self.cos.clone() - second.clone() * self.sin.clone();
        let turned_second = second * self.cos.clone() + first * self.sin.clone();
        Tensor::cat(vec![turned_first, turned_second], 3)
    }
}
