//! A tensor with another one added to it when it is read: LoRA's product, or delta weights.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::WeightError;
use super::entry::{Source, TensorEntry};

/// A tensor and what is added to it. The sum is computed in f32. A difference and its base are
/// rounded to the difference's own type of number, as the code that applies published deltas does;
/// a low-rank product is not, as it has no type of its own.
#[derive(Debug, Clone)]
pub(super) struct Sum {
    weight: TensorEntry,
    change: Change,
}

#[derive(Debug, Clone)]
enum Change {
    /// `scale · up · down`, `[out, rank] [rank, in]`.
    LowRank {
        down: TensorEntry,
        up: TensorEntry,
        scale: f64,
    },
    /// A matrix or vector that may be smaller than the weight on either axis: it is added to the
    /// first rows and columns.
    Corner(TensorEntry),
}

impl Sum {
    /// `weight + scale · up · down`; nothing if the shapes do not fit.
    pub(super) fn low_rank(
        weight: &TensorEntry,
        down: &TensorEntry,
        up: &TensorEntry,
        scale: f64,
    ) -> Option<TensorEntry> {
        let fits = match (
            weight.shape.as_slice(),
            up.shape.as_slice(),
            down.shape.as_slice(),
        ) {
            (&[out, input], &[up_out, rank], &[down_rank, down_input]) => {
                up_out == out && down_input == input && rank == down_rank
            }
            _ => false,
        };
        let change = Change::LowRank {
            down: down.clone(),
            up: up.clone(),
            scale,
        };
        fits.then(|| Self::entry(weight, change, Ok(DType::F32)))
    }

    /// `weight + base`, where the weight is a difference; nothing if the base is larger.
    pub(super) fn delta(weight: &TensorEntry, base: &TensorEntry) -> Option<TensorEntry> {
        let same_rank = weight.shape.len() == base.shape.len();
        let mut sides = weight.shape.iter().zip(&base.shape);
        let may_be_smaller = weight.shape.len() <= 2;
        let fits =
            same_rank && sides.all(|(own, base)| base == own || may_be_smaller && base < own);
        let change = Change::Corner(base.clone());
        fits.then(|| Self::entry(weight, change, weight.dtype()))
    }

    fn entry(weight: &TensorEntry, change: Change, dtype: Result<DType, String>) -> TensorEntry {
        TensorEntry {
            dtype,
            source: Source::Sum(Box::new(Self {
                weight: weight.clone(),
                change,
            })),
            ..weight.clone()
        }
    }

    /// The sum's bytes.
    pub(super) fn read(&self) -> Result<Vec<u8>, WeightError> {
        let dtype = match &self.change {
            Change::LowRank { .. } => DType::F32,
            Change::Corner(_) => self.weight.dtype().unwrap_or(DType::F32),
        };
        let sum = match (&self.change, self.weight.shape.as_slice()) {
            (Change::LowRank { down, up, scale }, _) => {
                let product = floats::<2>(up)?.matmul(floats(down)?);
                let sum = floats::<2>(&self.weight)? + product.mul_scalar(*scale);
                sum.into_data()
            }
            (Change::Corner(base), &[_, _]) => {
                let base: Tensor<2> = floats(base)?;
                let [rows, columns] = base.dims();
                let weight: Tensor<2> = floats(&self.weight)?;
                let corner = weight.clone().slice([0..rows, 0..columns]) + base;
                weight
                    .slice_assign([0..rows, 0..columns], corner)
                    .into_data()
            }
            (Change::Corner(base), _) => {
                let weight = flat(&self.weight)?;
                let base = flat(base)?;
                let [len] = base.dims();
                let rest = weight.dims()[0] - len;
                let start = weight.clone().narrow(0, 0, len) + base;
                match rest {
                    0 => start.into_data(),
                    _ => Tensor::cat(vec![start, weight.narrow(0, len, rest)], 0).into_data(),
                }
            }
        };
        Ok(sum.convert_dtype(dtype).as_bytes().to_vec())
    }
}

/// An entry's values in f32 on the CPU.
pub(super) fn floats<const D: usize>(entry: &TensorEntry) -> Result<Tensor<D>, WeightError> {
    let not_float = |dtype| WeightError::Dtype {
        path: entry.file().to_owned(),
        key: "a part of a sum".to_owned(),
        dtype,
    };
    let dtype = entry.dtype().map_err(not_float)?;
    if !dtype.is_float() {
        return Err(not_float(dtype.name().to_owned()));
    }
    let data = TensorData::from_bytes_vec(entry.read()?, entry.shape.clone(), dtype);
    Ok(Tensor::from_data(data, (&Device::flex(), DType::F32)))
}

/// The same in one row, whatever the shape.
fn flat(entry: &TensorEntry) -> Result<Tensor<1>, WeightError> {
    let len = entry.shape.iter().product();
    floats(&TensorEntry {
        shape: vec![len],
        ..entry.clone()
    })
}
