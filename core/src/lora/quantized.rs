//! Frozen weights in 8 or 4 bits, for QLoRA (Dettmers et al. 2023, arXiv 2305.14314).

use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::recipe::Quantize;

/// Weights that share a scale, as bitsandbytes has them.
const BLOCK: usize = 64;

/// The levels of NF4, quantiles of a normal distribution over [-1, 1]: appendix E of the paper.
pub const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// A matrix in blocks of 64 numbers, each block with a scale in f32: the largest magnitude in it.
/// The blocks go along the inputs of each output, as in a checkpoint's `[out, in]`.
#[derive(Module, Debug)]
pub struct Quantized {
    /// A byte a number in `q8`; one for two numbers in `nf4`, the first in the upper half.
    codes: Tensor<1, Int>,
    /// `[block]`
    scales: Tensor<1>,
    #[module(skip)]
    kind: Quantize,
    #[module(skip)]
    shape: [usize; 2],
    #[module(skip)]
    dtype: DType,
}

impl Quantized {
    /// Quantises `[in, out]`.
    #[must_use]
    pub fn of(weight: Tensor<2>, kind: Quantize) -> Self {
        let (device, dtype, shape) = (weight.device().inner(), weight.dtype(), weight.dims());
        let weight = weight.without_autodiff().transpose();
        let data = weight.into_data().convert::<f32>();
        let (values, _) = data.as_bytes().as_chunks::<4>();
        let values: Vec<f32> = values
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect();
        let mut codes = Vec::with_capacity(values.len());
        let mut scales = Vec::with_capacity(values.len().div_ceil(BLOCK));
        for block in values.chunks(BLOCK) {
            let scale = block
                .iter()
                .fold(0.0_f32, |most, value| most.max(value.abs()));
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            let unit = |place: usize| block.get(place).map_or(0.0, |value| value * inverse);
            scales.push(scale);
            match kind {
                Quantize::Q8 => codes.extend((0..BLOCK).map(|place| q8(unit(place)))),
                Quantize::Nf4 => codes.extend(
                    (0..BLOCK / 2).map(|pair| nf4(unit(2 * pair)) << 4 | nf4(unit(2 * pair + 1))),
                ),
            }
        }
        let len = codes.len();
        Self {
            codes: Tensor::from_data(TensorData::new(codes, [len]), (&device, DType::U8)),
            scales: Tensor::from_data(
                TensorData::new(scales, [values.len().div_ceil(BLOCK)]),
                (&device, DType::F32),
            ),
            kind,
            shape,
            dtype,
        }
    }

    /// As large as [`Quantized::of`] makes it, and of no value: nothing is read.
    #[must_use]
    pub(super) fn sketch(weight: &Tensor<2>, kind: Quantize) -> Self {
        let (device, shape) = (weight.device().inner(), weight.dims());
        let blocks = (shape[0] * shape[1]).div_ceil(BLOCK);
        let codes = match kind {
            Quantize::Q8 => blocks * BLOCK,
            Quantize::Nf4 => blocks * BLOCK / 2,
        };
        Self {
            codes: Tensor::zeros([codes], (&device, DType::U8)),
            scales: Tensor::zeros([blocks], (&device, DType::F32)),
            kind,
            shape,
            dtype: weight.dtype(),
        }
    }

    /// The matrix `[in, out]`, of the type of number that it had.
    #[must_use]
    pub fn weight(&self) -> Tensor<2> {
        let [input, output] = self.shape;
        let [blocks] = self.scales.dims();
        let units: Tensor<2> = match self.kind {
            Quantize::Q8 => {
                let codes = self.codes.clone().float().cast(DType::F32);
                codes
                    .sub_scalar(128.0)
                    .div_scalar(127.0)
                    .reshape([blocks, BLOCK])
            }
            Quantize::Nf4 => {
                let pairs = pairs(&self.scales.device());
                pairs.select(0, self.codes.clone()).reshape([blocks, BLOCK])
            }
        };
        let values = units * self.scales.clone().unsqueeze_dim(1);
        let len = input * output;
        let values: Tensor<1> = values.reshape([blocks * BLOCK]);
        let values = if blocks * BLOCK == len {
            values
        } else {
            values.narrow(0, 0, len)
        };
        let weight: Tensor<2> = values.reshape([output, input]).transpose();
        super::as_dtype(weight, self.dtype)
    }

    /// Bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.codes.dims()[0] + 4 * self.scales.dims()[0]
    }
}

/// A number in [-1, 1] as one of 255 even levels, zero at 128.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn q8(unit: f32) -> u8 {
    ((unit * 127.0).round() + 128.0) as u8
}

/// The nearest level of a number in [-1, 1].
fn nf4(unit: f32) -> u8 {
    let above = NF4
        .windows(2)
        .filter(|pair| unit > f32::midpoint(pair[0], pair[1]));
    u8::try_from(above.count()).expect("one of 16 levels")
}

/// What every byte of two codes stands for: `[256, 2]`
fn pairs(device: &Device) -> Tensor<2> {
    let values = (0..256).flat_map(|byte: usize| [NF4[byte >> 4], NF4[byte & 15]]);
    let data = TensorData::new(values.collect::<Vec<f32>>(), [256, 2]);
    Tensor::from_data(data, (device, DType::F32))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;
    use crate::testing::{Reference, assert_close};

    #[test]
    fn nf4_is_bitsandbytes_own() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/nf4/expected.safetensors"
        );
        let expected = Reference::open(file);
        let weight: Tensor<2> = expected.tensor("weight");
        let quantized = Quantized::of(weight.transpose(), Quantize::Nf4);
        let codes = quantized.codes.clone().float().cast(DType::F32);
        assert_close("codes", codes, expected.tensor("codes"), 0.0);
        assert_close(
            "scales",
            quantized.scales.clone(),
            expected.tensor("scales"),
            0.0,
        );
        let back = quantized.weight().transpose();
        assert_close("dequantised", back, expected.tensor("dequantised"), 1e-7);
    }

    /// Of normally distributed weights: relative error in the Frobenius norm, and bits a weight.
    #[test]
    fn eight_bits_err_by_half_a_percent_and_four_by_a_tenth() {
        let device = Device::flex();
        // 300 x 77 is no whole number of blocks.
        for shape in [[256, 128], [300, 77]] {
            let normal = Distribution::Normal(0.0, 0.02);
            let weight = crate::parameters::seeded(&device, 3, || {
                Tensor::<2>::random(shape, normal, (&device, DType::F32))
            });
            for (kind, error, bits) in [(Quantize::Q8, 0.006, 8.5), (Quantize::Nf4, 0.095, 4.5)] {
                let quantized = Quantized::of(weight.clone(), kind);
                let norm = |tensor: Tensor<2>| tensor.square().sum().sqrt().into_scalar::<f32>();
                let off = norm(quantized.weight() - weight.clone()) / norm(weight.clone());
                assert!(off > error / 3.0 && off < error, "{kind:?}: {off}");
                let numbers = f64::from(shape[0] * shape[1]);
                let found = 8.0 * quantized.bytes() as f64 / numbers;
                assert!(
                    found >= bits && found < bits * 1.01,
                    "{kind:?}: {found} bits"
                );
            }
        }
    }
}
