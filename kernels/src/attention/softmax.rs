//! Weights out of scores, a block of keys at a time.
//!
//! Powers are of 2, and what is subtracted from the scores of a query is a whole number: its largest score so far,
//! rounded. When that grows, earlier sums are multiplied by a power of 2, which is exact. So no result depends on
//! how the keys were cut into blocks, on the way to bits that depend on the visible keys alone.

use super::terms::{F32, Terms};
use crate::isa::scores::Scores;
use crate::isa::{Floats, Kernel, LANES, Lanes};
use crate::line::Line;
use crate::math::tanh;

/// `2^f = 1 + f · (this polynomial in f)` for |f| ≤ 1/2, lowest coefficient first: the best in the largest relative
/// error, 2e-9.
const POWER: [f32; 6] = [
    std::f32::consts::LN_2,
    0.240_226_48,
    0.055_503_324,
    0.009_618_437,
    0.001_339_887_4,
    1.535_336_2e-4,
];
/// The score of a key that is not seen: a whole number, whose power is 0 beside any other's.
pub(crate) const UNSEEN: f32 = -1.701_411_8e38;
/// The largest score of no key.
pub(crate) const NONE: f32 = -8.507_059e37;

/// `2^(score − largest)`; `largest` is whole.
#[inline(always)]
pub(crate) fn power<I: Scores>(isa: I, score: I::F32, largest: I::F32) -> I::F32 {
    let whole = isa.nearest(score);
    let rest = isa.sub(score, whole);
    let mut out = isa.splat(POWER[5]);
    for coefficient in POWER[..5].iter().rev() {
        out = isa.fma(out, rest, isa.splat(*coefficient));
    }
    out = isa.fma(out, rest, isa.splat(1.0));
    isa.scale(out, exponent(isa, whole, largest))
}

/// `whole − largest` as far down as powers of 2 are numbers.
#[inline(always)]
fn exponent<I: Floats>(isa: I, whole: I::F32, largest: I::F32) -> I::F32 {
    isa.max(isa.splat(-252.0), isa.sub(whole, largest))
}

/// Which of a block of keys 16 queries each see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask<'a> {
    /// The first key of the block.
    pub(crate) start: usize,
    /// The first key that each query sees, and the one after the last.
    pub(crate) first: &'a [[u32; LANES]],
    pub(crate) past: &'a [[u32; LANES]],
    /// The segment of each query and those of the block's keys, which are to be the same.
    pub(crate) segments: Option<(&'a [[u32; LANES]], &'a [u32])>,
}

impl Mask<'_> {
    /// The scores of the block's key `key` for the queries of `panel`.
    #[inline(always)]
    pub(crate) fn apply<I: Scores>(
        &self,
        isa: I,
        key: usize,
        panel: usize,
        scores: I::F32,
        unseen: I::F32,
    ) -> I::F32 {
        // Tokens of a context, which are below 2³¹ by a check in `forward`.
        #[allow(clippy::cast_possible_truncation)]
        let slot = (self.start + key) as u32;
        let scores = isa.within(slot, &self.first[panel], &self.past[panel], scores, unseen);
        match self.segments {
            Some((queries, keys)) => isa.equal(keys[key], &queries[panel], scores, unseen),
            None => scores,
        }
    }
}

/// What a tile of queries remembers from one block of keys to the next: a line for each 16 queries.
pub(crate) struct Running<'a> {
    /// The largest score, rounded to a whole number.
    pub(crate) largest: &'a mut [Line],
    /// The sum of `2^(score − largest)`.
    pub(crate) sum: &'a mut [Line],
    /// What earlier sums are to be multiplied with.
    pub(crate) factor: &'a mut [Line],
}

/// Turns a block of scores into weights, in place: `[keys, panels]` lines become `[steps of keys, panels]` of terms.
pub(crate) struct Softmax<'a, 'b, T> {
    pub(crate) terms: T,
    /// An even number of keys, of which the last may be missing.
    pub(crate) scores: &'a mut [Line],
    pub(crate) keys: usize,
    pub(crate) running: &'a mut Running<'b>,
    pub(crate) mask: Option<Mask<'a>>,
    /// Scores are this times the hyperbolic tangent of what they were.
    pub(crate) cap: Option<f32>,
}

impl<T: Terms> Kernel<T::Isa> for Softmax<'_, '_, T> {
    #[inline(always)]
    fn run(mut self, isa: T::Isa) {
        let panels = self.running.sum.len();
        for panel in 0..panels {
            let before = isa.load(self.running.largest[panel].f32s());
            let largest = isa.nearest(self.largest(isa, panels, panel, before));
            let factor = isa.scale(isa.splat(1.0), exponent(isa, before, largest));
            *self.running.largest[panel].f32s_mut() = isa.store(largest);
            *self.running.factor[panel].f32s_mut() = isa.store(factor);
            let mut sum = isa.mul(isa.load(self.running.sum[panel].f32s()), factor);
            for key in (0..self.keys).step_by(2) {
                let mut two = [isa.splat(0.0); 2];
                for (at, weight) in two.iter_mut().enumerate().take(self.keys - key) {
                    let score = isa.load(self.scores[(key + at) * panels + panel].f32s());
                    *weight = power(isa, score, largest);
                    sum = isa.add(sum, *weight);
                }
                self.terms.put(&mut self.scores[panel..], panels, key, two);
            }
            *self.running.sum[panel].f32s_mut() = isa.store(sum);
        }
    }
}

impl<T: Terms> Softmax<'_, '_, T> {
    /// Caps and masks the scores, and finds the largest, of `before` too.
    #[inline(always)]
    fn largest(&mut self, isa: T::Isa, panels: usize, panel: usize, before: F32<T>) -> F32<T> {
        // Four chains, as one would wait for itself.
        let mut largest = [before; 4];
        for key in 0..self.keys {
            let place = self.scores[key * panels + panel].f32s_mut();
            let mut score = isa.load(place);
            if let Some(cap) = self.cap {
                score = isa.mul(tanh(isa, score), isa.splat(cap));
            }
            if let Some(mask) = &self.mask {
                score = mask.apply(isa, key, panel, score, isa.splat(UNSEEN));
            }
            if self.cap.is_some() || self.mask.is_some() {
                *place = isa.store(score);
            }
            // In this order, since the largest is not to become a NaN.
            largest[key % 4] = isa.max(score, largest[key % 4]);
        }
        let [a, b, c, d] = largest;
        isa.max(isa.max(a, b), isa.max(c, d))
    }
}
