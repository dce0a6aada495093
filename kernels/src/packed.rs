//! Weights, packed once and multiplied with often.

use std::fmt;

use half::bf16;

use crate::error::PackError;
use crate::float::{double, single};
use crate::format::{BLOCK, q4, q4_k, q6_k, q8};
use crate::integer::Quantised;
use crate::level::Level;
use crate::matrix::{Any, Element, Matrix};
use crate::outputs::{Elsewhere, Outputs};
use crate::sink::{Addends, Sink};

/// How weights are stored, and what a product with them computes.
///
/// Activations are quantised like this: of each 32 neighbours of a row, counted from its begin, the scale is
/// the largest magnitude / 127 in f32, and a number becomes the nearest multiple, of two the even one. If
/// that scale is too small for 127 / magnitude to be finite, the 32 count as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// f32, times activations in f32.
    F32,
    /// bf16, times activations rounded to bf16.
    Bf16,
    /// 8 bits; 32 neighbours share a scale in f16. ggml's `q8_0`.
    Q8,
    /// 4 bits; 32 neighbours share a scale in f16. ggml's `q4_0`.
    Q4,
    /// 4 bits; 32 neighbours share a scale and a minimum, of 6 bits each, and 256 their factors in f16. ggml's
    /// `q4_K`.
    Q4K,
    /// 6 bits; 16 neighbours share a scale of 8 bits, and 256 its factor in f16. ggml's `q6_K`.
    Q6K,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Format {
    /// What ggml calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Q8 => "q8_0",
            Self::Q4 => "q4_0",
            Self::Q4K => "q4_K",
            Self::Q6K => "q6_K",
        }
    }

    /// Numbers and bytes of a block in GGUF.
    fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::Bf16 => (1, 2),
            Self::Q8 => (BLOCK, q8::BYTES),
            Self::Q4 => (BLOCK, q4::BYTES),
            Self::Q4K => (BLOCK * q4_k::GROUP, q4_k::BYTES),
            Self::Q6K => (BLOCK * q6_k::GROUP, q6_k::BYTES),
        }
    }

    /// Bytes of a row in GGUF.
    fn row(self, inputs: usize) -> Result<usize, PackError> {
        let (block, size) = self.block();
        if inputs.is_multiple_of(block) {
            return Ok((inputs / block).saturating_mul(size));
        }
        Err(PackError::Columns {
            format: self,
            inputs,
            block,
        })
    }
}

#[derive(Debug, Clone)]
enum Storage {
    F32(single::Panels),
    Bf16(double::Panels),
    Q8(Quantised<q8::Q8>),
    Q4(Quantised<q4::Q4>),
    Q4K(Quantised<q4_k::Q4K>),
    Q6K(Quantised<q6_k::Q6K>),
}

/// A weight `[outputs, inputs]` in the order in which products read it.
///
/// Sixteen outputs form a panel. Of a panel the first columns of all outputs lie together, then the next
/// ones, so that a vector register holds 16 outputs and nothing is summed across its lanes. Outputs are
/// filled up to whole panels, and columns to whole blocks, with zeros.
#[derive(Debug, Clone)]
pub struct Packed {
    outputs: usize,
    inputs: usize,
    storage: Storage,
}

impl Packed {
    /// Packs weights `[outputs, inputs]`, in [`Format::F32`] as they are, else rounded or quantised to
    /// [`Format::Bf16`], [`Format::Q8`] or [`Format::Q4`]. Weights that lie `[inputs, outputs]` are handed in by [`Matrix::transposed`].
    ///
    /// In q8 the scale is the largest magnitude / 127, in q4 the number of the largest magnitude / −8, either
    /// rounded to f16 and at most its largest number; a weight becomes the nearest multiple that there is. A NaN
    /// among weights becomes 0, and an infinity the largest multiple of the largest scale.
    ///
    /// # Errors
    /// For a format that is only read.
    pub fn quantise<E: Element>(format: Format, weights: Matrix<E>) -> Result<Self, PackError> {
        Self::quantise_outputs(format, &weights.any())
    }

    /// The same of weights that lie elsewhere, as in a file: `read(output, out)` writes `out` with the bytes of `E`,
    /// those of the processor's order, of 16 whole outputs from that one on, or of as many as there are. It is called
    /// from several threads, and each holds no more than that.
    ///
    /// # Errors
    /// For a format that is only read.
    pub fn quantise_read<E: Element>(
        format: Format,
        outputs: usize,
        inputs: usize,
        read: impl Fn(usize, &mut [u8]) + Sync,
    ) -> Result<Self, PackError> {
        Self::quantise_outputs(format, &Elsewhere::<E>::new(outputs, inputs, &read))
    }

    fn quantise_outputs(format: Format, weights: &impl Outputs) -> Result<Self, PackError> {
        let storage = match format {
            Format::F32 => Storage::F32(single::Panels::new(weights)),
            Format::Bf16 => Storage::Bf16(double::Panels::new(weights)),
            Format::Q8 => Storage::Q8(q8::pack_floats(weights)),
            Format::Q4 => Storage::Q4(q4::pack_floats(weights)),
            format => return Err(PackError::ReadOnly { format }),
        };
        Ok(Self {
            outputs: weights.outputs(),
            inputs: weights.inputs(),
            storage,
        })
    }

    /// Packs weights `[outputs, inputs]` out of the blocks of a GGUF file, whose numbers they keep to the bit.
    ///
    /// # Errors
    /// If rows are no whole blocks, or `bytes` are not as many as they take.
    pub fn from_blocks(
        format: Format,
        outputs: usize,
        inputs: usize,
        bytes: &[u8],
    ) -> Result<Self, PackError> {
        let size = format.block().1;
        let row = format.row(inputs)?;
        let wanted = row.saturating_mul(outputs);
        if bytes.len() != wanted {
            return Err(PackError::Bytes {
                format,
                outputs,
                inputs,
                wanted,
                found: bytes.len(),
            });
        }
        let at = |output: usize, block: usize| &bytes[output * row + block * size..][..size];
        let storage = match format {
            Format::F32 => {
                let numbers = bytes.as_chunks::<4>().0.iter();
                let numbers: Vec<f32> = numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect();
                let numbers = Matrix::new(&numbers, outputs, inputs);
                Storage::F32(single::Panels::new(&numbers.any()))
            }
            Format::Bf16 => {
                let numbers = bytes.as_chunks::<2>().0.iter();
                let numbers: Vec<bf16> = numbers.map(|bits| bf16::from_le_bytes(*bits)).collect();
                let numbers = Matrix::new(&numbers, outputs, inputs);
                Storage::Bf16(double::Panels::new(&numbers.any()))
            }
            Format::Q8 => Storage::Q8(q8::pack(outputs, inputs, |output, block| {
                q8::read(at(output, block))
            })),
            Format::Q4 => Storage::Q4(q4::pack(outputs, inputs, |output, block| {
                q4::read(at(output, block))
            })),
            Format::Q4K => Storage::Q4K(q4_k::pack(outputs, inputs, at)),
            Format::Q6K => Storage::Q6K(q6_k::pack(outputs, inputs, at)),
        };
        Ok(Self {
            outputs,
            inputs,
            storage,
        })
    }

    /// The blocks of a GGUF file, row after row: what [`Packed::from_blocks`] takes, to the bit
    /// (a NaN in bf16 may have become another one).
    ///
    /// # Errors
    /// If rows are no whole blocks.
    pub fn to_blocks(&self) -> Result<Vec<u8>, PackError> {
        let (block, size) = self.format().block();
        let row = self.format().row(self.inputs)?;
        let mut out = vec![0; self.outputs * row];
        let group = block / BLOCK;
        let cost = self.outputs * self.inputs;
        crate::schedule::chunks(&mut out, row, cost, |output, out| match &self.storage {
            Storage::F32(panels) => panels.write(output, out),
            Storage::Bf16(panels) => panels.write(output, out),
            Storage::Q8(blocks) => blocks.write(output, group, size, out),
            Storage::Q4(blocks) => blocks.write(output, group, size, out),
            Storage::Q4K(blocks) => blocks.write(output, group, size, out),
            Storage::Q6K(blocks) => blocks.write(output, group, size, out),
        });
        Ok(out)
    }

    /// How it is stored.
    pub fn format(&self) -> Format {
        match self.storage {
            Storage::F32(_) => Format::F32,
            Storage::Bf16(_) => Format::Bf16,
            Storage::Q8(_) => Format::Q8,
            Storage::Q4(_) => Format::Q4,
            Storage::Q4K(_) => Format::Q4K,
            Storage::Q6K(_) => Format::Q6K,
        }
    }

    /// Features that come out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Features that go in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        match &self.storage {
            Storage::F32(panels) => panels.bytes(),
            Storage::Bf16(panels) => panels.bytes(),
            Storage::Q8(blocks) => blocks.bytes(),
            Storage::Q4(blocks) => blocks.bytes(),
            Storage::Q4K(blocks) => blocks.bytes(),
            Storage::Q6K(blocks) => blocks.bytes(),
        }
    }

    /// The weights that products use, `[outputs, inputs]`: what was rounded or quantised, as f32.
    ///
    /// In q8 and q4 `scale · (code − bias)`; in `q4_K` `(d · scale) · code − dmin · minimum`; in `q6_K`
    /// `(d · scale) · (code − 32)`, with one rounding for each operation.
    pub fn dequantise(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.outputs * self.inputs];
        let cost = out.len();
        crate::schedule::chunks(&mut out, self.inputs, cost, |output, row| {
            self.row(output, row);
        });
        out
    }

    /// One output's row of [`Packed::dequantise`], for a table of embeddings `[vocab, hidden]`.
    ///
    /// # Panics
    /// If there is no such output, or `out` has not [`Packed::inputs`] numbers.
    pub fn row(&self, output: usize, out: &mut [f32]) {
        assert!(output < self.outputs, "output {output} of {}", self.outputs);
        assert_eq!(out.len(), self.inputs, "numbers of a row");
        match &self.storage {
            Storage::F32(panels) => panels.dequantise(output, out),
            Storage::Bf16(panels) => panels.dequantise(output, out),
            Storage::Q8(blocks) => blocks.dequantise(output, out),
            Storage::Q4(blocks) => blocks.dequantise(output, out),
            Storage::Q4K(blocks) => blocks.dequantise(output, out),
            Storage::Q6K(blocks) => blocks.dequantise(output, out),
        }
    }

    /// [`Packed::row`] of each of these outputs, one after the other, in threads if that is worth it.
    ///
    /// # Panics
    /// If one of the outputs is not there, or `out` has not [`Packed::inputs`] numbers for each.
    pub fn rows(&self, outputs: &[usize], out: &mut [f32]) {
        assert_eq!(
            Some(out.len()),
            outputs.len().checked_mul(self.inputs),
            "numbers of {} rows of {}",
            outputs.len(),
            self.inputs
        );
        // A number takes some ten times as long as a multiplication: an output's weights lie apart.
        let cost = 10 * out.len();
        crate::schedule::chunks(out, self.inputs, cost, |at, row| self.row(outputs[at], row));
    }

    /// `y = x · weightsᵀ`: `x` `[rows, inputs]`, `y` `[rows, outputs]`, whatever `y` held before.
    ///
    /// Runs in rayon's current pool if that is worth it. The thread keeps the memory for the quantised
    /// activations, some `rows · inputs · 2` bytes, for the next product.
    ///
    /// # Panics
    /// If `y` is no whole number of rows, or `x` has another number of them.
    pub fn multiply<E: Element>(&self, x: &[E], y: &mut [f32]) {
        self.multiply_at(Level::best(), x, y);
    }

    /// The same with the instructions of a given level.
    ///
    /// # Panics
    /// As [`Packed::multiply`], and if the processor does not have the level.
    pub fn multiply_at<E: Element>(&self, level: Level, x: &[E], y: &mut [f32]) {
        level.check();
        if y.is_empty() {
            assert!(x.is_empty() || self.outputs == 0, "x has rows, and y none");
            return;
        }
        let rows = y.len() / self.outputs.max(1);
        let sink = Sink::new(y, rows, self.outputs);
        let x = Matrix::new(x, rows, self.inputs).any();
        self.multiply_any(level, x, &sink);
    }

    /// `x · weightsᵀ + bias + residual` in memory of its own, `[rows, outputs]`: the sums of [`Packed::multiply`], to
    /// which each is added before they are written.
    ///
    /// # Panics
    /// If `x` has not [`Packed::inputs`] columns, the bias not [`Packed::outputs`] numbers, or the residual not as many
    /// as the result.
    pub fn product<E: Element>(&self, x: Matrix<E>, addends: Addends) -> Vec<f32> {
        self.product_at(Level::best(), x, addends)
    }

    /// The same with the instructions of a given level.
    ///
    /// # Panics
    /// As [`Packed::product`], and if the processor does not have the level.
    pub fn product_at<E: Element>(&self, level: Level, x: Matrix<E>, addends: Addends) -> Vec<f32> {
        level.check();
        assert_eq!(x.columns(), self.inputs, "a column for each input");
        let write = |sink: &Sink| {
            if x.rows() > 0 && self.outputs > 0 {
                self.multiply_any(level, x.any(), sink);
            }
        };
        // SAFETY: a product writes each panel of each row.
        unsafe { Sink::filled(x.rows(), self.outputs, addends, write) }
    }

    fn multiply_any(&self, level: Level, x: Any, sink: &Sink) {
        match &self.storage {
            Storage::F32(panels) => panels.multiply(level, x, sink),
            Storage::Bf16(panels) => panels.multiply(level, x, sink),
            Storage::Q8(blocks) => blocks.multiply(level, x, sink),
            Storage::Q4(blocks) => blocks.multiply(level, x, sink),
            Storage::Q4K(blocks) => blocks.multiply(level, x, sink),
            Storage::Q6K(blocks) => blocks.multiply(level, x, sink),
        }
    }
}
