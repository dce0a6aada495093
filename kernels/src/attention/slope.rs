//! Weights once more, and the gradients of scores, a block of keys at a time.

use super::softmax::{Mask, UNSEEN, power};
use super::terms::Terms;
use crate::isa::{Kernel, LANES, Lanes};
use crate::line::Line;
use crate::math::tanh;

/// From the scores of a block and the gradients of its weights, each `[keys, panels]` lines, makes
///
/// ```text
/// weight = 2^(score − log_sum)
/// slope  = scale · weight · (gradient − delta)        · (1 − (score / cap)²), with a cap
/// ```
pub(crate) struct Differentiate<'a, T: Terms> {
    pub(crate) terms: T,
    pub(crate) keys: usize,
    pub(crate) scores: &'a [Line],
    /// Of weights; they become slopes as terms of a sum over keys: `[steps of keys, panels]`.
    pub(crate) gradients: &'a mut [Line],
    /// `[keys, panels · 16]`: key by key.
    pub(crate) weights: &'a mut [T::Number],
    /// The same.
    pub(crate) slopes: &'a mut [T::Number],
    /// Of each query, in powers of 2.
    pub(crate) log_sums: &'a [Line],
    /// Of each query: the sum of its weights times their gradients.
    pub(crate) deltas: &'a [Line],
    pub(crate) mask: Option<Mask<'a>>,
    pub(crate) scale: f32,
    /// As for [`Softmax`](super::softmax::Softmax).
    pub(crate) cap: Option<f32>,
}

impl<T: Terms> Kernel<T::Isa> for Differentiate<'_, T> {
    #[inline(always)]
    fn run(self, isa: T::Isa) {
        let (terms, panels) = (self.terms, self.log_sums.len());
        let (one, scale) = (isa.splat(1.0), isa.splat(self.scale));
        for panel in 0..panels {
            let log_sum = isa.load(self.log_sums[panel].f32s());
            let delta = isa.load(self.deltas[panel].f32s());
            for key in (0..self.keys).step_by(2) {
                let mut two = [isa.splat(0.0); 2];
                for (at, slope) in two.iter_mut().enumerate().take(self.keys - key) {
                    let key = key + at;
                    let line = key * panels + panel;
                    let mut score = isa.load(self.scores[line].f32s());
                    let mut steepness = scale;
                    if let Some(cap) = self.cap {
                        let squeezed = tanh(isa, score);
                        score = isa.mul(squeezed, isa.splat(cap));
                        let flatness = isa.mul(squeezed, squeezed);
                        steepness = isa.mul(scale, isa.sub(one, flatness));
                    }
                    if let Some(mask) = &self.mask {
                        score = mask.apply(isa, key, panel, score, isa.splat(UNSEEN));
                    }
                    let weight = power(isa, isa.sub(score, log_sum), isa.splat(0.0));
                    let gradient = isa.load(self.gradients[line].f32s());
                    *slope = isa.mul(isa.mul(weight, steepness), isa.sub(gradient, delta));
                    store(terms, weight, &mut self.weights[line * LANES..]);
                    store(terms, *slope, &mut self.slopes[line * LANES..]);
                }
                terms.put(&mut self.gradients[panel..], panels, key, two);
            }
        }
    }
}

/// 16 numbers as products read them.
#[inline(always)]
fn store<T: Terms>(terms: T, values: super::terms::F32<T>, out: &mut [T::Number]) {
    let values = terms.isa().store(values);
    for (out, value) in out[..LANES].iter_mut().zip(values) {
        *out = terms.number(value);
    }
}
