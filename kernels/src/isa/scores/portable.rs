//! Arrays and loops.

use super::Scores;
use crate::isa::LANES;
use crate::isa::portable::Portable;

impl Scores for Portable {
    #[inline(always)]
    fn nearest(self, x: Self::F32) -> Self::F32 {
        x.map(f32::round_ties_even)
    }
    #[inline(always)]
    fn within(
        self,
        slot: u32,
        first: &[u32; LANES],
        past: &[u32; LANES],
        values: Self::F32,
        otherwise: Self::F32,
    ) -> Self::F32 {
        let mut out = otherwise;
        for lane in 0..LANES {
            if first[lane] <= slot && slot < past[lane] {
                out[lane] = values[lane];
            }
        }
        out
    }
    #[inline(always)]
    fn equal(
        self,
        number: u32,
        numbers: &[u32; LANES],
        values: Self::F32,
        otherwise: Self::F32,
    ) -> Self::F32 {
        let mut out = otherwise;
        for lane in 0..LANES {
            if numbers[lane] == number {
                out[lane] = values[lane];
            }
        }
        out
    }
}
