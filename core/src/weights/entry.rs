//! A tensor in a file: its shape, its type of number, and how its values are read.

use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use burn::tensor::DType;
#[cfg(unix)]
use burn::tensor::{bf16, f16};
#[cfg(unix)]
use menagerie_kernels::Element;
use menagerie_kernels::Packed;
use rayon::prelude::*;

use super::WeightError;
use super::ggml::Blocks;
use super::input::{Format, Input, Problem};
use super::strided::Strided;
use super::sum::Sum;

/// What a reader finds in a file: names and tensors.
pub(super) type Tensors = Vec<(String, TensorEntry)>;

/// Tensors of one file, at most; the largest published mixtures of experts have some 90,000 in all.
pub(super) const MAX_TENSORS: usize = 200_000;

/// Where a tensor lies.
#[derive(Debug, Clone)]
pub struct TensorEntry {
    pub(super) file: Arc<Path>,
    /// The shape that the file states, in PyTorch's order: the last axis lies contiguously.
    pub shape: Vec<usize>,
    /// The type of its values as they are read, or the name of one that tensors here do not have.
    pub(super) dtype: Result<DType, String>,
    pub(super) source: Source,
    pub(super) format: Format,
}

/// How a tensor's values are read.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// They lie in row-major order.
    Plain {
        /// Offset of the first byte in the file.
        start: u64,
        /// Bytes.
        len: usize,
    },
    /// They lie in another order.
    Strided(Strided),
    /// They are quantised in blocks, and become f32.
    Blocks(Blocks),
    /// They lie in a burnpack file.
    Packed(Arc<burn_pack::Tensor>),
    /// They are a sum of what lies in several files.
    Sum(Box<Sum>),
}

impl TensorEntry {
    /// The file that holds it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The type of the numbers that [`read`](Self::read) gives; a quantised tensor's is f32.
    ///
    /// # Errors
    /// The name of a type that tensors here do not have.
    pub fn dtype(&self) -> Result<DType, String> {
        self.dtype.clone()
    }

    /// Its values as little-endian bytes, in row-major order.
    ///
    /// The memory taken is that of the values and, where they lie in another order or quantised, a
    /// chunk of the file of at most 1 MiB.
    ///
    /// # Errors
    /// A file that cannot be read, or that became shorter since it was opened.
    pub fn read(&self) -> Result<Vec<u8>, WeightError> {
        if let Source::Sum(sum) = &self.source {
            return sum.read();
        }
        let mut input = Input::open(&self.file)?;
        self.read_from(&mut input)
            .map_err(|problem| problem.at(&self.file, self.format))
    }

    /// Whether it is quantised in blocks.
    pub(crate) fn is_quantised(&self) -> bool {
        matches!(self.source, Source::Blocks(_))
    }

    /// Its blocks, if it is quantised in some that a weight wanted in `format` is multiplied with as they lie.
    pub(super) fn blocks(&self, format: menagerie_kernels::Format) -> Option<&Blocks> {
        match &self.source {
            Source::Blocks(blocks) if blocks.serve(format) => Some(blocks),
            _ => None,
        }
    }

    /// As [`read`](Self::read), in the memory of `spare` if it serves, and how many of the values, of type
    /// `dtype`, are NaN or infinite.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub(super) fn read_counted(
        &self,
        dtype: DType,
        spare: Vec<u8>,
    ) -> Result<(Vec<u8>, usize), WeightError> {
        if let Source::Plain { start, len } = self.source {
            let count = |part: &[u8]| count_non_finite(part, dtype);
            return self.bytes_counted((start, len), dtype.size(), spare, count);
        }
        let bytes = self.read()?;
        let count = bytes
            .par_chunks(1 << 20)
            .map(|part| count_non_finite(part, dtype));
        let count = count.sum();
        Ok((bytes, count))
    }

    /// Its rows, packed in `format` while they are read, and how many of its values, of type `dtype`, are NaN or
    /// infinite. The memory taken is that of the packed rows and of some that each thread reads at a time. `None` if
    /// its values do not lie row after row in a type that is packed as it is, or the system cannot read so.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub(super) fn packed_rows(
        &self,
        dtype: DType,
        format: menagerie_kernels::Format,
    ) -> Result<Option<(Packed, usize)>, WeightError> {
        #[cfg(unix)]
        if let (Source::Plain { start, len }, &[rows, columns]) =
            (&self.source, self.shape.as_slice())
        {
            let (file, rows) = ((*start, *len), [rows, columns]);
            let packed = match dtype {
                DType::F32 => self.pack_read::<f32>(file, rows, dtype, format),
                DType::BF16 => self.pack_read::<bf16>(file, rows, dtype, format),
                DType::F16 => self.pack_read::<f16>(file, rows, dtype, format),
                _ => return Ok(None),
            };
            return packed.map(Some);
        }
        Ok(None)
    }

    #[cfg(unix)]
    fn pack_read<E: Element>(
        &self,
        (start, len): (u64, usize),
        [rows, columns]: [usize; 2],
        dtype: DType,
        format: menagerie_kernels::Format,
    ) -> Result<(Packed, usize), WeightError> {
        let input = Input::open(&self.file)?;
        let at = |problem: Problem| problem.at(&self.file, self.format);
        input.check(start, len as u64).map_err(at)?;
        let row = columns * size_of::<E>();
        let (count, failed) = (AtomicUsize::new(0), OnceLock::new());
        let read = |first: usize, bytes: &mut [u8]| {
            if failed.get().is_some() {
                return;
            }
            match input.read_at(start + (first * row) as u64, bytes) {
                Ok(()) => {
                    count.fetch_add(count_non_finite(bytes, dtype), Ordering::Relaxed);
                }
                // The first of several is told.
                Err(error) => drop(failed.set(error)),
            }
        };
        let packed = Packed::quantise_read::<E>(format, rows, columns, read);
        match failed.into_inner() {
            Some(error) => Err(at(error.into())),
            None => Ok((
                packed.expect("a format that is made of floats"),
                count.into_inner(),
            )),
        }
    }

    /// The bytes of its `blocks`, in the memory of `spare` if it serves, and how many of their scales are NaN or infinite.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub(super) fn read_blocks(
        &self,
        blocks: &Blocks,
        spare: Vec<u8>,
    ) -> Result<(Vec<u8>, usize), WeightError> {
        let unit = blocks.kind.bytes();
        let place = (blocks.start, blocks.count * unit);
        self.bytes_counted(place, unit, spare, |part| blocks.count_non_finite(part))
    }

    fn bytes_counted(
        &self,
        place: (u64, usize),
        unit: usize,
        spare: Vec<u8>,
        count: impl Fn(&[u8]) -> usize + Sync,
    ) -> Result<(Vec<u8>, usize), WeightError> {
        // Elsewhere than on Unix reading moves the file's place.
        #[cfg_attr(unix, expect(unused_mut))]
        let mut input = Input::open(&self.file)?;
        let read = input.bytes_counted(place, unit, spare, count);
        read.map_err(|problem| problem.at(&self.file, self.format))
    }

    pub(super) fn read_from<R: Read + Seek>(
        &self,
        input: &mut Input<R>,
    ) -> Result<Vec<u8>, Problem> {
        match &self.source {
            Source::Plain { start, len } => input.bytes(*start, *len),
            Source::Strided(strided) => strided.read(input),
            Source::Blocks(blocks) => blocks.read(input),
            Source::Packed(tensor) => match tensor.to_bytes() {
                Ok(bytes) => Ok(bytes.to_vec()),
                Err(error) => Err(Problem::Invalid(error.to_string())),
            },
            Source::Sum(sum) => sum
                .read()
                .map_err(|error| Problem::Invalid(error.to_string())),
        }
    }
}

/// The bytes of a tensor of `shape` whose elements have `width` bytes; `None` where no memory could
/// hold it.
pub(super) fn byte_len(shape: &[usize], width: usize) -> Option<usize> {
    let elements = shape
        .iter()
        .try_fold(1_usize, |all, &size| all.checked_mul(size))?;
    elements
        .checked_mul(width)
        .filter(|&len| isize::try_from(len).is_ok())
}

/// How many of the floats in `bytes`, as [`TensorEntry::read`] gives them, are NaN or infinite.
/// Integers never are.
pub fn count_non_finite(bytes: &[u8], dtype: DType) -> usize {
    // A float is finite unless all bits of its exponent are set.
    match dtype {
        DType::F64 => count(bytes, |bytes| {
            u64::from_le_bytes(bytes) & 0x7ff0_0000_0000_0000 == 0x7ff0_0000_0000_0000
        }),
        DType::F32 => count(bytes, |bytes| {
            u32::from_le_bytes(bytes) & 0x7f80_0000 == 0x7f80_0000
        }),
        DType::F16 => count(bytes, |bytes| u16::from_le_bytes(bytes) & 0x7c00 == 0x7c00),
        DType::BF16 => count(bytes, |bytes| u16::from_le_bytes(bytes) & 0x7f80 == 0x7f80),
        _ => 0,
    }
}

fn count<const WIDTH: usize>(bytes: &[u8], is_non_finite: impl Fn([u8; WIDTH]) -> bool) -> usize {
    let (elements, _) = bytes.as_chunks::<WIDTH>();
    elements
        .iter()
        .map(|&element| usize::from(is_non_finite(element)))
        .sum()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{bf16, f16};

    use super::*;

    #[test]
    fn nan_and_infinity_are_counted_in_every_float_type_and_large_numbers_are_not() {
        let values = [1.0, f32::NAN, f32::INFINITY, -0.0, f32::NEG_INFINITY, 6e4];
        let f32s: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let f16s: Vec<u8> = values
            .iter()
            .flat_map(|&v| f16::from_f32(v).to_le_bytes())
            .collect();
        let bf16s: Vec<u8> = values
            .iter()
            .flat_map(|&v| bf16::from_f32(v).to_le_bytes())
            .collect();
        let f64s: Vec<u8> = values
            .iter()
            .flat_map(|&v| f64::from(v).to_le_bytes())
            .collect();
        assert_eq!(count_non_finite(&f32s, DType::F32), 3);
        assert_eq!(count_non_finite(&f16s, DType::F16), 3);
        assert_eq!(count_non_finite(&bf16s, DType::BF16), 3);
        assert_eq!(count_non_finite(&f64s, DType::F64), 3);
        assert_eq!(count_non_finite(&[0xff; 8], DType::I32), 0);
    }
}
