//! Blocks of quantised weights.
//!
//! A block is 32 columns of the 16 outputs of a panel: `LINES` lines of integers, which are read one
//! after the other, and the scales beside them.

pub(crate) mod q4;
pub(crate) mod q4_k;
pub(crate) mod q6_k;
pub(crate) mod q8;

use crate::activation::nearest;
use crate::integer::{Block, Quantised};
use crate::isa::{LANES, Quads};
use crate::kept::Kept;
use crate::line::{Line, Plain};
use crate::matrix::with;
use crate::outputs::Outputs;

/// Columns of a block.
pub(crate) const BLOCK: usize = 32;

/// How the weights of a block are stored. A weight is `scale · (code − bias) − minimum`.
pub(crate) trait Blocks: Send + Sync + Sized + 'static {
    /// Lines of a block.
    const LINES: usize;
    /// What is subtracted from a code.
    const BIAS: i32;
    /// Parts of a block that have a scale of their own: 1 or 2.
    const SUMS: usize;
    /// Whether there are minima. `BIAS` is 0 then, and `SUMS` 1.
    const MINIMA: bool;

    /// Four columns' codes of a block.
    ///
    /// # Safety
    /// There are `LINES` lines, and `quad` is below 8.
    unsafe fn codes<I: Quads>(isa: I, lines: &[Line], quad: usize) -> I::Bytes;
    /// Whether there are scales for that many blocks.
    fn covers(&self, blocks: usize) -> bool;
    /// The scales of a part of a block.
    ///
    /// # Safety
    /// `covers` is true for more blocks than [`Place::index`], and `part` is below `SUMS`. A check here, between
    /// panels, has the compiler work on one panel after the other and spill what they share.
    unsafe fn scale<I: Quads>(&self, isa: I, place: Place, part: usize) -> I::F32;
    /// The minima of a block.
    ///
    /// # Safety
    /// As for `scale`.
    unsafe fn minimum<I: Quads>(&self, isa: I, place: Place) -> I::F32;
    /// Bytes of the scales and the minima.
    fn bytes(&self) -> usize;
    /// Writes what GGUF calls a block, of one output: those that begin at `place`, whose codes these are.
    fn write(&self, place: Place, lane: usize, codes: &[[u8; BLOCK]], out: &mut [u8]);
}

/// A block among others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) panel: usize,
    pub(crate) block: usize,
    /// Blocks of a panel.
    pub(crate) blocks: usize,
}

impl Place {
    #[inline(always)]
    pub(crate) fn index(self) -> usize {
        self.panel * self.blocks + self.block
    }
}

/// 16 f16 by their bits.
pub(crate) type Halves = [u16; LANES];

/// What the groups of blocks of each panel share, which `store` fills in for one output after the other.
fn each_group<S: Plain>(outputs: usize, groups: usize, store: impl Fn(Block, &mut S)) -> Kept<S> {
    let mut out = Kept::<S>::zeros(outputs.div_ceil(LANES) * groups);
    for output in 0..outputs {
        let (panel, lane) = (output / LANES, output % LANES);
        for index in 0..groups {
            let at = Block {
                output,
                lane,
                index,
            };
            store(at, &mut out[panel * groups + index]);
        }
    }
    out
}

/// Packs blocks that have one scale: `block` gives the bits of it and the codes, which `store` stores.
fn one_scale<F: Blocks>(
    outputs: usize,
    inputs: usize,
    block: impl Fn(usize, usize) -> (u16, [u8; BLOCK]) + Send + Sync,
    store: impl Fn(&mut [Line], usize, &[u8; BLOCK]) + Send + Sync,
    format: impl FnOnce(Kept<Halves>) -> F,
) -> Quantised<F> {
    let block = |at: Block, lines: &mut [Line], scales: &mut Halves| {
        let (scale, codes) = block(at.output, at.index);
        scales[at.lane] = scale;
        store(lines, at.lane, &codes);
    };
    Quantised::new(outputs, inputs, block, format)
}

/// Quantises floats and packs them as [`one_scale`] does: `quantise` gives the bits of a block's scale and its codes.
fn quantised<F: Blocks>(
    weights: &impl Outputs,
    quantise: impl Fn(&[f32; BLOCK]) -> (u16, [u8; BLOCK]) + Send + Sync,
    store: impl Fn(&mut [Line], usize, &[u8; BLOCK]) + Send + Sync,
    format: impl FnOnce(Kept<Halves>) -> F,
) -> Quantised<F> {
    let inputs = weights.inputs();
    let panel = |panel: usize, lines: &mut [Line], scales: &mut [Halves]| {
        weights.panel(panel, &mut |rows, first| {
            let count = (rows.rows() - first).min(LANES);
            let blocks = lines.chunks_exact_mut(F::LINES).zip(&mut *scales);
            for (index, (lines, scales)) in blocks.enumerate() {
                let from = index * BLOCK;
                let width = (inputs - from).min(BLOCK);
                for (lane, scale) in scales[..count].iter_mut().enumerate() {
                    let mut numbers = [0.0; BLOCK];
                    with!(rows, rows => rows.copy(first + lane, from, &mut numbers[..width]));
                    let codes;
                    (*scale, codes) = quantise(&numbers);
                    store(lines, lane, &codes);
                }
            }
        });
    };
    Quantised::by_panels(weights.outputs(), inputs, panel, format)
}

/// The nearest integer as the bits of an i8; 0 of NaN.
#[inline(always)]
fn signed(value: f32) -> u8 {
    debug_assert!(value.is_nan() || value.abs() <= 128.0);
    let value = if value.is_nan() { 0.0 } else { value };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let code = nearest(value) as u8;
    code
}

/// Stores 8-bit codes of one output's block.
pub(crate) fn store_bytes(lines: &mut [Line], lane: usize, codes: &[u8; BLOCK]) {
    for (line, codes) in lines.iter_mut().zip(codes.as_chunks::<4>().0) {
        line.0[4 * lane..][..4].copy_from_slice(codes);
    }
}

/// Stores the lower 4 bits of codes: two neighbouring quads share a line.
pub(crate) fn store_nibbles(lines: &mut [Line], lane: usize, codes: &[u8; BLOCK]) {
    for (line, codes) in lines.iter_mut().zip(codes.as_chunks::<8>().0) {
        for column in 0..4 {
            line.0[4 * lane + column] = codes[column] & 15 | codes[column + 4] << 4;
        }
    }
}

/// Stores the bits 4 and 5 of codes: four neighbouring quads share a line.
pub(crate) fn store_crumbs(lines: &mut [Line], lane: usize, codes: &[u8; BLOCK]) {
    for (line, codes) in lines.iter_mut().zip(codes.as_chunks::<16>().0) {
        for column in 0..4 {
            line.0[4 * lane + column] = (0..4).fold(0, |byte, quad| {
                byte | (codes[4 * quad + column] >> 4 & 3) << (2 * quad)
            });
        }
    }
}

/// A quad out of [`store_nibbles`]' lines.
///
/// # Safety
/// There are four lines or more, and `quad` is below 8.
#[inline(always)]
pub(crate) unsafe fn load_nibbles<I: Quads>(isa: I, lines: &[Line], quad: usize) -> I::Bytes {
    // SAFETY: the caller promises that there is this line.
    let bytes = isa.bytes(unsafe { lines.get_unchecked(quad / 2) });
    if quad.is_multiple_of(2) {
        isa.low(bytes)
    } else {
        isa.high(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_the_nearest_integers_and_nan_becomes_0() {
        for quarters in -4 * 127..=4 * 127_i16 {
            let exact = f32::from(quarters) / 4.0;
            for value in [exact.next_down(), exact, exact.next_up()] {
                let value = value.clamp(-127.0, 127.0);
                let found = f32::from(signed(value).cast_signed());
                assert_eq!(found, value.round_ties_even(), "{value}");
            }
        }
        assert_eq!(signed(f32::NAN), 0);
        assert_eq!(signed(-0.0), 0);
    }
}
