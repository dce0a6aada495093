//! 8 bits a weight, 32 share a scale in f16: ggml's `q8_0`.

use half::f16;

use super::{BLOCK, Blocks, Halves, Place, one_scale, quantised, signed, store_bytes};
use crate::integer::Quantised;
use crate::isa::Quads;
use crate::kept::Kept;
use crate::line::Line;
use crate::outputs::Outputs;

/// Bytes of a block of one output in GGUF: the scale, then 32 i8.
pub(crate) const BYTES: usize = 34;

/// The scales; codes are the i8 + 128.
#[derive(Debug, Clone)]
pub(crate) struct Q8(pub(crate) Kept<Halves>);

impl Blocks for Q8 {
    const LINES: usize = 8;
    const BIAS: i32 = 128;
    const SUMS: usize = 1;
    const MINIMA: bool = false;

    #[inline(always)]
    unsafe fn codes<I: Quads>(isa: I, lines: &[Line], quad: usize) -> I::Bytes {
        // SAFETY: the caller promises eight lines, and a quad below 8.
        isa.bytes(unsafe { lines.get_unchecked(quad) })
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
        for (byte, code) in bytes.iter_mut().zip(codes.as_flattened()) {
            *byte = code ^ 0x80;
        }
    }
}

/// The scale and the codes of a block as GGUF has it.
pub(crate) fn read(block: &[u8]) -> (u16, [u8; BLOCK]) {
    let mut codes = [0; BLOCK];
    for (code, byte) in codes.iter_mut().zip(&block[2..]) {
        *code = byte ^ 0x80;
    }
    (u16::from_le_bytes([block[0], block[1]]), codes)
}

/// Quantises: the scale is the largest magnitude / 127 in f16, a weight the nearest multiple.
pub(crate) fn quantise(values: &[f32; BLOCK]) -> (u16, [u8; BLOCK]) {
    let largest = values
        .iter()
        .fold(0_f32, |most, value| most.max(value.abs()));
    let scale = f16::from_f32((largest / 127.0).min(f16::MAX.to_f32()));
    let step = scale.to_f32();
    let mut codes = [128; BLOCK];
    if step > 0.0 {
        for (code, value) in codes.iter_mut().zip(values) {
            *code = signed((value / step).clamp(-127.0, 127.0)) ^ 0x80;
        }
    }
    (scale.to_bits(), codes)
}

/// Quantises and packs `weights`.
pub(crate) fn pack_floats(weights: &impl Outputs) -> Quantised<Q8> {
    quantised(weights, quantise, store_bytes, Q8)
}

/// Packs what `block` says of a block of an output: its scale's bits and its codes.
pub(crate) fn pack(
    outputs: usize,
    inputs: usize,
    block: impl Fn(usize, usize) -> (u16, [u8; BLOCK]) + Send + Sync,
) -> Quantised<Q8> {
    one_scale(outputs, inputs, block, store_bytes, Q8)
}
