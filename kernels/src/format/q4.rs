//! 4 bits a weight, 32 share a scale in f16: ggml's `q4_0`.

use half::f16;

use super::{
    BLOCK, Blocks, Halves, Place, load_nibbles, one_scale, quantised, signed, store_nibbles,
};
use crate::integer::Quantised;
use crate::isa::Quads;
use crate::kept::Kept;
use crate::line::Line;
use crate::outputs::Outputs;

/// Bytes of a block of one output in GGUF: the scale, then 16 bytes, whose lower halves are the
/// first 16 codes.
pub(crate) const BYTES: usize = 18;

/// The scales.
#[derive(Debug, Clone)]
pub(crate) struct Q4(pub(crate) Kept<Halves>);

impl Blocks for Q4 {
    const LINES: usize = 4;
    const BIAS: i32 = 8;
    const SUMS: usize = 1;
    const MINIMA: bool = false;

    #[inline(always)]
    unsafe fn codes<I: Quads>(isa: I, lines: &[Line], quad: usize) -> I::Bytes {
        // SAFETY: the caller promises four lines, and a quad below 8.
        unsafe { load_nibbles(isa, lines, quad) }
    }
    fn covers(&self, blocks: usize) -> bool {
        self.0.len() >= blocks
    }
    #[inline(always)]
    unsafe fn scale<I: Quads>(&self, isa: I, place: Place, _: usize) -> I::F32 {
        // SAFETY: the caller promises that there is one.
        isa.halves(unsafe { self.0.get_unchecked(place.index()) })
    }
    #[inline(always)]
    unsafe fn minimum<I: Quads>(&self, isa: I, _: Place) -> I::F32 {
        isa.splat(0.0)
    }
    fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
    fn write(&self, place: Place, lane: usize, codes: &[[u8; BLOCK]], out: &mut [u8]) {
        let (scale, bytes) = out.split_at_mut(2);
        scale.copy_from_slice(&self.0[place.index()][lane].to_le_bytes());
        let (lower, upper) = codes.as_flattened().split_at(BLOCK / 2);
        for ((byte, lower), upper) in bytes.iter_mut().zip(lower).zip(upper) {
            *byte = lower | upper << 4;
        }
    }
}

/// The scale and the codes of a block as GGUF has it.
pub(crate) fn read(block: &[u8]) -> (u16, [u8; BLOCK]) {
    let mut codes = [0; BLOCK];
    for (column, byte) in block[2..].iter().enumerate() {
        codes[column] = byte & 15;
        codes[column + BLOCK / 2] = byte >> 4;
    }
    (u16::from_le_bytes([block[0], block[1]]), codes)
}

/// Quantises as ggml does: the weight of the largest magnitude becomes −8 times the scale, which gives
/// one step more on its side than on the other.
pub(crate) fn quantise(values: &[f32; BLOCK]) -> (u16, [u8; BLOCK]) {
    let largest = values.iter().fold(0_f32, |most, value| {
        if value.abs() > most.abs() {
            *value
        } else {
            most
        }
    });
    let limit = f16::MAX.to_f32();
    let scale = f16::from_f32((largest / -8.0).clamp(-limit, limit));
    let step = scale.to_f32();
    let mut codes = [8; BLOCK];
    if step != 0.0 {
        for (code, value) in codes.iter_mut().zip(values) {
            *code = signed((value / step).clamp(-8.0, 7.0)).wrapping_add(8);
        }
    }
    (scale.to_bits(), codes)
}

/// Quantises and packs `weights`.
pub(crate) fn pack_floats(weights: &impl Outputs) -> Quantised<Q4> {
    quantised(weights, quantise, store_nibbles, Q4)
}

/// Packs what `block` says of a block of an output: its scale's bits and its codes.
pub(crate) fn pack(
    outputs: usize,
    inputs: usize,
    block: impl Fn(usize, usize) -> (u16, [u8; BLOCK]) + Send + Sync,
) -> Quantised<Q4> {
    one_scale(outputs, inputs, block, store_nibbles, Q4)
}
