//! 6 bits a weight, 16 share a scale of 8 bits, 256 share its factor: ggml's `q6_K`.

use super::{BLOCK, Blocks, Halves, Place, each_group, load_nibbles, store_crumbs, store_nibbles};
use crate::integer::{Block, Quantised};
use crate::isa::{LANES, Quads};
use crate::kept::Kept;
use crate::line::Line;

/// Bytes of 256 weights of one output in GGUF: 128 of lower bits, 64 of upper ones, 16 scales, an f16.
pub(crate) const BYTES: usize = 210;
/// Blocks that share a factor.
pub(crate) const GROUP: usize = 8;

/// Scales of the two halves of a block.
pub(crate) type Steps = [[i8; LANES]; 2];

/// Scales; rows are whole groups. A block is four lines of lower bits, then two of upper ones.
#[derive(Debug, Clone)]
pub(crate) struct Q6K {
    pub(crate) factors: Kept<Halves>,
    pub(crate) steps: Kept<Steps>,
}

impl Blocks for Q6K {
    const LINES: usize = 6;
    const BIAS: i32 = 32;
    const SUMS: usize = 2;
    const MINIMA: bool = false;

    #[inline(always)]
    unsafe fn codes<I: Quads>(isa: I, lines: &[Line], quad: usize) -> I::Bytes {
        // SAFETY: the caller promises six lines, and a quad below 8.
        let (lower, upper) = unsafe {
            (
                load_nibbles(isa, lines, quad),
                lines.get_unchecked(4 + quad / 4),
            )
        };
        isa.or(lower, isa.crumbs(isa.bytes(upper), quad % 4))
    }
    fn covers(&self, blocks: usize) -> bool {
        self.steps.len() >= blocks && self.factors.len() * GROUP >= blocks
    }
    #[inline(always)]
    unsafe fn scale<I: Quads>(&self, isa: I, place: Place, part: usize) -> I::F32 {
        let index = place.index();
        // SAFETY: the caller promises that there is one of each.
        let (factor, steps) = unsafe {
            (
                self.factors.get_unchecked(index / GROUP),
                self.steps.get_unchecked(index).get_unchecked(part),
            )
        };
        isa.mul(isa.halves(factor), isa.signed(steps))
    }
    #[inline(always)]
    unsafe fn minimum<I: Quads>(&self, isa: I, _: Place) -> I::F32 {
        isa.splat(0.0)
    }
    fn bytes(&self) -> usize {
        size_of_val(&*self.factors) + size_of_val(&*self.steps)
    }
    fn write(&self, place: Place, lane: usize, codes: &[[u8; BLOCK]], out: &mut [u8]) {
        out[..192].fill(0);
        for (number, codes) in codes.iter().enumerate() {
            let (half, quarter) = (number / 4, number % 4);
            for (at, code) in codes.iter().enumerate() {
                out[64 * half + 32 * (quarter % 2) + at] |= (code & 15) << (4 * (quarter / 2));
                out[128 + 32 * half + at] |= code >> 4 << (2 * quarter);
            }
            for (half, steps) in self.steps[place.index() + number].iter().enumerate() {
                out[192 + 2 * number + half] = steps[lane].cast_unsigned();
            }
        }
        let factor = self.factors[place.index() / GROUP][lane];
        out[208..].copy_from_slice(&factor.to_le_bytes());
    }
}

/// The two scales and the codes of block `number` of a group as GGUF has it.
fn read(group: &[u8], number: usize) -> ([i8; 2], [u8; BLOCK]) {
    let (half, quarter) = (number / 4, number % 4);
    // Blocks 0 and 2 of a half, and 1 and 3, share their bytes of lower bits; all four those of upper ones.
    let lower = &group[64 * half + 32 * (quarter % 2)..][..BLOCK];
    let upper = &group[128 + 32 * half..][..BLOCK];
    let mut codes = [0; BLOCK];
    for ((code, lower), upper) in codes.iter_mut().zip(lower).zip(upper) {
        *code = lower >> (4 * (quarter / 2)) & 15 | (upper >> (2 * quarter) & 3) << 4;
    }
    let scales = &group[192 + 2 * number..][..2];
    ([scales[0].cast_signed(), scales[1].cast_signed()], codes)
}

/// Packs groups of outputs as GGUF has them, of which `group` gives the bytes.
pub(crate) fn pack<'a>(
    outputs: usize,
    inputs: usize,
    group: impl Fn(usize, usize) -> &'a [u8] + Send + Sync,
) -> Quantised<Q6K> {
    let factors = each_group(
        outputs,
        inputs / BLOCK / GROUP,
        |at, factors: &mut Halves| {
            let bytes = group(at.output, at.index);
            factors[at.lane] = u16::from_le_bytes([bytes[208], bytes[209]]);
        },
    );
    let store = |at: Block, lines: &mut [Line], steps: &mut Steps| {
        let (scales, codes) = read(group(at.output, at.index / GROUP), at.index % GROUP);
        for (step, scale) in steps.iter_mut().zip(scales) {
            step[at.lane] = scale;
        }
        let (lower, upper) = lines.split_at_mut(4);
        store_nibbles(lower, at.lane, &codes);
        store_crumbs(upper, at.lane, &codes);
    };
    Quantised::new(outputs, inputs, store, |steps| Q6K { factors, steps })
}
