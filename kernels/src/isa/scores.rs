//! What attention is made of, beside arithmetic.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::{Floats, LANES, Pairs};
use crate::line::Line;

/// Choices and orders of lanes.
pub(crate) trait Scores: Floats {
    /// The nearest whole number, the even one of two.
    fn nearest(self, x: Self::F32) -> Self::F32;
    /// `values` where `first <= slot < past`, else `otherwise`.
    fn within(
        self,
        slot: u32,
        first: &[u32; LANES],
        past: &[u32; LANES],
        values: Self::F32,
        otherwise: Self::F32,
    ) -> Self::F32;
    /// `values` where the numbers are `number`, else `otherwise`.
    fn equal(
        self,
        number: u32,
        numbers: &[u32; LANES],
        values: Self::F32,
        otherwise: Self::F32,
    ) -> Self::F32;

    /// Lane `i` of vector `j` becomes lane `j` of vector `i`.
    #[inline(always)]
    fn transpose(self, vectors: [Self::F32; LANES]) -> [Self::F32; LANES] {
        let mut from = [[0.0; LANES]; LANES];
        for (row, vector) in from.iter_mut().zip(vectors) {
            *row = self.store(vector);
        }
        let mut out = vectors;
        for (lane, vector) in out.iter_mut().enumerate() {
            let mut column = [0.0; LANES];
            for (value, row) in column.iter_mut().zip(&from) {
                *value = row[lane];
            }
            *vector = self.load(&column);
        }
        out
    }

    /// In lane `j` the sum of the lanes of vector `j`; all are added in the same order.
    #[inline(always)]
    fn sums(self, vectors: [Self::F32; LANES]) -> Self::F32 {
        let mut lanes = self.transpose(vectors);
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] = self.add(lanes[lane], lanes[lane + half]);
            }
        }
        lanes[0]
    }
}

/// Two bf16 in each lane, where the processor multiplies them.
pub(crate) trait Doubles: Scores + Pairs {
    /// In each lane a number of `first` and one of `second`, rounded to bf16.
    fn double(self, first: Self::F32, second: Self::F32) -> Line;
    /// `sum` and, in each lane, both products of two neighbours.
    fn dot(self, sum: Self::F32, a: &[u16; 2 * LANES], b: &[u16; 2 * LANES]) -> Self::F32;
    /// In each lane a number of `first` and the same one of `second`, in the order of [`INTERLEAVED`].
    fn interleave(self, first: &[u16; 2 * LANES], second: &[u16; 2 * LANES]) -> [Self::Weights; 2];
}

/// The numbers of a row that lie in the lanes of [`Doubles::interleave`].
pub(crate) const INTERLEAVED: [[usize; LANES]; 2] = [
    [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27],
    [4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31],
];
