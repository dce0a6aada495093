//! 4 bits a weight, 32 share a scale and a minimum of 6 bits, 256 share their two factors: ggml's
//! `q4_K`.

use super::{BLOCK, Blocks, Halves, Place, each_group, load_nibbles, store_nibbles};
use crate::integer::{Block, Quantised};
use crate::isa::{LANES, Quads};
use crate::kept::Kept;
use crate::line::{Line, Plain};

/// Bytes of 256 weights of one output in GGUF: two f16, 12 bytes of scales and minima, 128 of codes.
pub(crate) const BYTES: usize = 144;
/// Blocks that share their factors.
pub(crate) const GROUP: usize = 8;

/// What scales and minima are multiplied with.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Factors {
    pub(crate) scale: Halves,
    pub(crate) minimum: Halves,
}

// SAFETY: 64 bytes of integers.
unsafe impl Plain for Factors {}

/// Scales and minima of a block.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Steps {
    pub(crate) scale: [u8; LANES],
    pub(crate) minimum: [u8; LANES],
}

// SAFETY: 32 bytes of integers.
unsafe impl Plain for Steps {}

/// Scales and minima; rows are whole groups.
#[derive(Debug, Clone)]
pub(crate) struct Q4K {
    pub(crate) factors: Kept<Factors>,
    pub(crate) steps: Kept<Steps>,
}

impl Blocks for Q4K {
    const LINES: usize = 4;
    const BIAS: i32 = 0;
    const SUMS: usize = 1;
    const MINIMA: bool = true;

    #[inline(always)]
    unsafe fn codes<I: Quads>(isa: I, lines: &[Line], quad: usize) -> I::Bytes {
        // SAFETY: the caller promises four lines, and a quad below 8.
        unsafe { load_nibbles(isa, lines, quad) }
    }
    fn covers(&self, blocks: usize) -> bool {
        self.steps.len() >= blocks && self.factors.len() * GROUP >= blocks
    }
    #[inline(always)]
    unsafe fn scale<I: Quads>(&self, isa: I, place: Place, _: usize) -> I::F32 {
        let index = place.index();
        // SAFETY: the caller promises that there is one of each.
        let (factors, steps) = unsafe {
            (
                self.factors.get_unchecked(index / GROUP),
                self.steps.get_unchecked(index),
            )
        };
        isa.mul(isa.halves(&factors.scale), isa.unsigned(&steps.scale))
    }
    #[inline(always)]
    unsafe fn minimum<I: Quads>(&self, isa: I, place: Place) -> I::F32 {
        let index = place.index();
        // SAFETY: the caller promises that there is one of each.
        let (factors, steps) = unsafe {
            (
                self.factors.get_unchecked(index / GROUP),
                self.steps.get_unchecked(index),
            )
        };
        isa.mul(isa.halves(&factors.minimum), isa.unsigned(&steps.minimum))
    }
    fn bytes(&self) -> usize {
        size_of_val(&*self.factors) + size_of_val(&*self.steps)
    }
    fn write(&self, place: Place, lane: usize, codes: &[[u8; BLOCK]], out: &mut [u8]) {
        let factors = &self.factors[place.index() / GROUP];
        out[..2].copy_from_slice(&factors.scale[lane].to_le_bytes());
        out[2..4].copy_from_slice(&factors.minimum[lane].to_le_bytes());
        let (first, last) = self.steps[place.index()..][..GROUP].split_at(GROUP / 2);
        for (number, (first, last)) in first.iter().zip(last).enumerate() {
            let [scale, minimum] = [last.scale[lane], last.minimum[lane]];
            out[4 + number] = first.scale[lane] | scale >> 4 << 6;
            out[8 + number] = first.minimum[lane] | minimum >> 4 << 6;
            out[12 + number] = scale & 15 | minimum << 4;
        }
        for (bytes, pair) in out[16..].chunks_mut(BLOCK).zip(codes.chunks(2)) {
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = pair[0][at] | pair[1][at] << 4;
            }
        }
    }
}

/// What a group says of one of its blocks.
struct Part {
    scale: u8,
    minimum: u8,
    codes: [u8; BLOCK],
}

/// Block `number` of a group as GGUF has it.
fn read(group: &[u8], number: usize) -> Part {
    let (packed, codes) = (&group[4..16], &group[16..]);
    // Six bits each: of the first four blocks in the lower six of a byte, of the others four in the last
    // bytes and two in the upper bits of the first ones.
    let (scale, minimum) = if number < 4 {
        (packed[number] & 63, packed[number + 4] & 63)
    } else {
        let lower = packed[number + 4];
        (
            lower & 15 | packed[number - 4] >> 6 << 4,
            lower >> 4 | packed[number] >> 6 << 4,
        )
    };
    // Two blocks share 32 bytes.
    let shift = 4 * (number % 2);
    let mut out = [0; BLOCK];
    for (code, byte) in out.iter_mut().zip(&codes[number / 2 * BLOCK..]) {
        *code = byte >> shift & 15;
    }
    Part {
        scale,
        minimum,
        codes: out,
    }
}

/// Packs groups of outputs as GGUF has them, of which `group` gives the bytes.
pub(crate) fn pack<'a>(
    outputs: usize,
    inputs: usize,
    group: impl Fn(usize, usize) -> &'a [u8] + Send + Sync,
) -> Quantised<Q4K> {
    let factors = each_group(
        outputs,
        inputs / BLOCK / GROUP,
        |at, factors: &mut Factors| {
            let bytes = group(at.output, at.index);
            factors.scale[at.lane] = u16::from_le_bytes([bytes[0], bytes[1]]);
            factors.minimum[at.lane] = u16::from_le_bytes([bytes[2], bytes[3]]);
        },
    );
    let store = |at: Block, lines: &mut [Line], steps: &mut Steps| {
        let part = read(group(at.output, at.index / GROUP), at.index % GROUP);
        steps.scale[at.lane] = part.scale;
        steps.minimum[at.lane] = part.minimum;
        store_nibbles(lines, at.lane, &part.codes);
    };
    Quantised::new(outputs, inputs, store, |steps| Q4K { factors, steps })
}
