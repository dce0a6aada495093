//! ggml's types of tensors, and its quantised blocks as f32.
//!
//! A block holds the numbers of 32 or 256 neighbours in a row as small integers and the scales that
//! they share (layouts: `ggml-common.h` of ggml). Each number is computed in f32 in the order of
//! ggml's reference code, so that it is the same to the bit.

use std::io::{Read, Seek};

use burn::tensor::{DType, f16};
use menagerie_kernels::Format;

use super::entry::byte_len;
use super::input::{Input, Problem};

/// Bytes of the file held at once, at most.
const CHUNK: usize = 1 << 20;

/// How a tensor's elements lie in a GGUF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// One by one.
    Plain(DType),
    /// In quantised blocks.
    Block(Block),
}

/// The blocks that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// ggml's numbers and names of its types (`enum ggml_type` in `ggml.h`), and what is read.
const TYPES: [(u32, &str, Option<Type>); 32] = [
    (0, "f32", Some(Type::Plain(DType::F32))),
    (1, "f16", Some(Type::Plain(DType::F16))),
    (2, "q4_0", Some(Type::Block(Block::Q4_0))),
    (3, "q4_1", Some(Type::Block(Block::Q4_1))),
    (6, "q5_0", Some(Type::Block(Block::Q5_0))),
    (7, "q5_1", Some(Type::Block(Block::Q5_1))),
    (8, "q8_0", Some(Type::Block(Block::Q8_0))),
    (9, "q8_1", None),
    (10, "q2_K", None),
    (11, "q3_K", None),
    (12, "q4_K", Some(Type::Block(Block::Q4K))),
    (13, "q5_K", Some(Type::Block(Block::Q5K))),
    (14, "q6_K", Some(Type::Block(Block::Q6K))),
    (15, "q8_K", None),
    (16, "iq2_xxs", None),
    (17, "iq2_xs", None),
    (18, "iq3_xxs", None),
    (19, "iq1_s", None),
    (20, "iq4_nl", None),
    (21, "iq3_s", None),
    (22, "iq2_s", None),
    (23, "iq4_xs", None),
    (24, "i8", Some(Type::Plain(DType::I8))),
    (25, "i16", Some(Type::Plain(DType::I16))),
    (26, "i32", Some(Type::Plain(DType::I32))),
    (27, "i64", Some(Type::Plain(DType::I64))),
    (28, "f64", Some(Type::Plain(DType::F64))),
    (29, "iq1_m", None),
    (30, "bf16", Some(Type::Plain(DType::BF16))),
    (34, "tq1_0", None),
    (35, "tq2_0", None),
    (39, "mxfp4", None),
];

impl Type {
    /// The type of that number.
    ///
    /// # Errors
    /// What the type is called, and which can be read.
    pub(super) fn numbered(number: u32) -> Result<Self, String> {
        let known = TYPES.iter().find(|(id, ..)| *id == number);
        let name = match known {
            Some((_, _, Some(kind))) => return Ok(*kind),
            Some((_, name, None)) => (*name).to_owned(),
            None => format!("type {number}"),
        };
        let readable: Vec<&str> = TYPES
            .iter()
            .filter_map(|(_, name, kind)| kind.is_some().then_some(*name))
            .collect();
        Err(format!(
            "is {name}; what can be read is {}",
            readable.join(", ")
        ))
    }

    /// ggml's number of it.
    pub(super) fn number(self) -> u32 {
        let known = TYPES.iter().find(|(_, _, kind)| *kind == Some(self));
        known.expect("every type that is read has a number").0
    }

    /// Bytes of `count` numbers, in whole blocks.
    pub(super) fn bytes(self, count: usize) -> usize {
        match self {
            Self::Plain(dtype) => count * dtype.size(),
            Self::Block(block) => count / block.elements() * block.bytes(),
        }
    }
}

impl From<Format> for Type {
    fn from(format: Format) -> Self {
        match format {
            Format::F32 => Self::Plain(DType::F32),
            Format::Bf16 => Self::Plain(DType::BF16),
            Format::Q8 => Self::Block(Block::Q8_0),
            Format::Q4 => Self::Block(Block::Q4_0),
            Format::Q4K => Self::Block(Block::Q4K),
            Format::Q6K => Self::Block(Block::Q6K),
            format => unreachable!("ggml has {format} under another name"),
        }
    }
}

impl Block {
    /// Elements of a block.
    pub(super) fn elements(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes of a block.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Appends the f32 of one block.
    fn dequantise(self, block: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Q4_0 => {
                let (d, quants) = (half(block, 0), &block[2..]);
                push(out, nibbles(quants).map(|q| d * (f32::from(q) - 8.0)));
            }
            Self::Q4_1 => {
                let (d, m, quants) = (half(block, 0), half(block, 2), &block[4..]);
                push(out, nibbles(quants).map(|q| d * f32::from(q) + m));
            }
            Self::Q5_0 => {
                let (d, high, quants) = (half(block, 0), &block[2..6], &block[6..]);
                let fives = nibbles(quants).zip(bits(high)).map(|(q, bit)| q | bit << 4);
                push(out, fives.map(|q| d * (f32::from(q) - 16.0)));
            }
            Self::Q5_1 => {
                let (d, m) = (half(block, 0), half(block, 2));
                let (high, quants) = (&block[4..8], &block[8..]);
                let fives = nibbles(quants).zip(bits(high)).map(|(q, bit)| q | bit << 4);
                push(out, fives.map(|q| d * f32::from(q) + m));
            }
            Self::Q8_0 => {
                let (d, quants) = (half(block, 0), &block[2..]);
                push(out, quants.iter().map(|q| d * f32::from(q.cast_signed())));
            }
            Self::Q4K => {
                let (d, min, scales) = (half(block, 0), half(block, 2), &block[4..16]);
                for (pair, quants) in block[16..].chunks_exact(32).enumerate() {
                    for (half, shift) in [(0, 0), (1, 4)] {
                        let (scale, offset) = scale_and_min(scales, 2 * pair + half);
                        let (scale, offset) = (d * f32::from(scale), min * f32::from(offset));
                        let fours = quants.iter().map(|q| q >> shift & 15);
                        push(out, fours.map(|q| scale * f32::from(q) - offset));
                    }
                }
            }
            Self::Q5K => {
                let (d, min, scales) = (half(block, 0), half(block, 2), &block[4..16]);
                let high = &block[16..48];
                for (pair, quants) in block[48..].chunks_exact(32).enumerate() {
                    for (half, shift) in [(0, 0), (1, 4)] {
                        let group = 2 * pair + half;
                        let (scale, offset) = scale_and_min(scales, group);
                        let (scale, offset) = (d * f32::from(scale), min * f32::from(offset));
                        let fives = quants
                            .iter()
                            .zip(high)
                            .map(|(q, high)| q >> shift & 15 | (high >> group & 1) << 4);
                        push(out, fives.map(|q| scale * f32::from(q) - offset));
                    }
                }
            }
            Self::Q6K => {
                let (low, high) = (&block[..128], &block[128..192]);
                let (scales, d) = (&block[192..208], half(block, 208));
                // Two halves of 128 elements, each of four runs of 32 with two scales a run.
                for run in 0..8 {
                    let (part, quarter) = (run / 4, run % 4);
                    let low = &low[64 * part + 32 * (quarter % 2)..][..32];
                    let high = &high[32 * part..][..32];
                    let sixes = low.iter().zip(high).map(|(low, high)| {
                        low >> (4 * (quarter / 2)) & 15 | (high >> (2 * quarter) & 3) << 4
                    });
                    push(
                        out,
                        sixes.enumerate().map(|(i, q)| {
                            let scale = scales[2 * run + i / 16].cast_signed();
                            d * f32::from(scale) * (f32::from(q) - 32.0)
                        }),
                    );
                }
            }
        }
    }
}

fn push(out: &mut Vec<u8>, values: impl Iterator<Item = f32>) {
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// The f16 at `at`.
fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The lower halves of all bytes, then the upper ones.
fn nibbles(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let lower = bytes.iter().map(|byte| byte & 15);
    lower.chain(bytes.iter().map(|byte| byte >> 4))
}

/// All bits, the lowest of the first byte first.
fn bits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1))
}

/// The scale and the minimum of one of eight groups, six bits each in twelve bytes.
fn scale_and_min(packed: &[u8], group: usize) -> (u8, u8) {
    if group < 4 {
        return (packed[group] & 63, packed[group + 4] & 63);
    }
    let rest = packed[group + 4];
    let scale = rest & 15 | (packed[group - 4] >> 6) << 4;
    let min = rest >> 4 | (packed[group] >> 6) << 4;
    (scale, min)
}

/// A tensor's blocks, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    /// The kind of all of them.
    pub(super) kind: Block,
    /// Offset of the first byte in the file.
    pub(super) start: u64,
    /// How many there are.
    pub(super) count: usize,
}

impl Blocks {
    /// Whether a weight wanted in `format` is multiplied with as it lies here: blocks that are no wider are,
    /// since quantising them again would lose more and save little.
    pub(super) fn serve(&self, format: Format) -> bool {
        match (format, self.kind) {
            (Format::Q8, Block::Q8_0) => true,
            (Format::Q8 | Format::Q4, kind) => {
                matches!(kind, Block::Q4_0 | Block::Q4K | Block::Q6K)
            }
            _ => false,
        }
    }

    /// What a weight of these blocks is packed as. They [`serve`](Self::serve) some format.
    pub(super) fn format(&self) -> Format {
        match self.kind {
            Block::Q4_0 => Format::Q4,
            Block::Q8_0 => Format::Q8,
            Block::Q4K => Format::Q4K,
            Block::Q6K => Format::Q6K,
            kind => unreachable!("{kind:?} serves no format"),
        }
    }

    /// How many of the blocks' scales are NaN or infinite; `bytes` are theirs.
    pub(super) fn count_non_finite(&self, bytes: &[u8]) -> usize {
        let scales: &[usize] = match self.kind {
            Block::Q4K | Block::Q5K | Block::Q4_1 | Block::Q5_1 => &[0, 2],
            Block::Q6K => &[208],
            Block::Q4_0 | Block::Q5_0 | Block::Q8_0 => &[0],
        };
        let blocks = bytes.chunks_exact(self.kind.bytes());
        let bad = |block: &[u8]| {
            scales
                .iter()
                .filter(|&&at| !half(block, at).is_finite())
                .count()
        };
        blocks.map(bad).sum()
    }

    /// All values as f32, little-endian.
    pub(super) fn read<R: Read + Seek>(&self, input: &mut Input<R>) -> Result<Vec<u8>, Problem> {
        let size = self.kind.bytes();
        let len = byte_len(&[self.count], size).ok_or("is larger than any file")?;
        input.check(self.start, len as u64)?;
        let values = byte_len(&[self.count, self.kind.elements()], 4);
        let mut out = Vec::with_capacity(values.ok_or("is larger than any memory")?);
        let chunk = (CHUNK / size).min(self.count) * size;
        let mut at = 0;
        while at < len {
            let bytes = input.bytes(self.start + at as u64, chunk.min(len - at))?;
            for block in bytes.chunks_exact(size) {
                self.kind.dequantise(block, &mut out);
            }
            at += bytes.len();
        }
        Ok(out)
    }
}
