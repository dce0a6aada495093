//! Gradients of norms.

use super::Norm;
use crate::isa::{Floats, Work, work};
use crate::line::{lines, view_mut};
use crate::schedule;
use crate::scratch::Scratch;
use crate::vectors::{COST, load, places, store, total};

/// Rows whose shares of the gradients of gamma and beta are summed one after the other; at most so many
/// sums are kept at a time.
const ROWS: usize = 32;
const SUMS: usize = 32;

/// Where the gradients of a norm's parameters go. What is left out is not computed.
#[derive(Debug, Default)]
pub struct NormGradients<'a> {
    /// As wide as a row.
    pub gamma: Option<&'a mut [f32]>,
    /// As wide as a row.
    pub beta: Option<&'a mut [f32]>,
}

/// They compute the moments of `x` anew, which is cheaper than to keep them.
impl Norm<'_> {
    /// `dx` of the norm of `x`, where `dy` is the gradient of the result, and the gradients of gamma and beta, all
    /// whatever was there before.
    ///
    /// # Panics
    /// As for the others; and if the gradient of a parameter is not as wide as a row.
    pub fn backward(&self, x: &[f32], dy: &[f32], dx: &mut [f32], parameters: NormGradients) {
        self.check(dx.len(), dy.len());
        self.gradient(x, Some(dy), dx, parameters);
    }

    /// The same, with `dx` written over `dy`.
    pub fn backward_in_place(&self, x: &[f32], dy: &mut [f32], parameters: NormGradients) {
        self.gradient(x, None, dy, parameters);
    }

    fn gradient(&self, x: &[f32], dy: Option<&[f32]>, dx: &mut [f32], parameters: NormGradients) {
        self.check(dx.len(), x.len());
        let width = self.gamma.len();
        for gradient in [&parameters.gamma, &parameters.beta].into_iter().flatten() {
            assert_eq!(gradient.len(), width, "a parameter's gradient");
        }
        let rows = dx.len() / width;
        let grain = rows.div_ceil(SUMS).max(ROWS);
        let count = rows.div_ceil(grain);
        let wanted = [parameters.gamma.is_some(), parameters.beta.is_some()];
        let sizes = wanted.map(|wanted| if wanted { width } else { 0 });
        let cost = 2 * COST * dx.len();
        Scratch::with(|scratch| {
            let [gamma, beta, _] = scratch.lines([
                lines::<f32>(count * sizes[0]),
                lines::<f32>(count * sizes[1]),
                0,
            ]);
            let gamma = view_mut::<f32>(gamma, count * sizes[0]);
            let beta = view_mut::<f32>(beta, count * sizes[1]);
            schedule::parts(
                [dx, &mut *gamma, &mut *beta],
                [grain * width, sizes[0], sizes[1]],
                cost,
                |first, [dx, gamma, beta]| {
                    gamma.fill(0.0);
                    beta.fill(0.0);
                    for (number, dx) in dx.chunks_mut(grain * width).enumerate() {
                        let place = (first + number) * grain * width;
                        work(
                            self.level,
                            Backward {
                                norm: self,
                                x: &x[place..][..dx.len()],
                                dy: dy.map(|dy| &dy[place..][..dx.len()]),
                                dx,
                                gamma: sums(gamma, sizes[0], number),
                                beta: sums(beta, sizes[1], number),
                            },
                        );
                    }
                },
            );
            for (sums, gradient) in [(gamma, parameters.gamma), (beta, parameters.beta)] {
                if let Some(gradient) = gradient {
                    gradient.fill(0.0);
                    for part in sums.chunks_exact(width) {
                        for (sum, part) in gradient.iter_mut().zip(part) {
                            *sum += part;
                        }
                    }
                }
            }
        });
    }
}

fn sums(all: &mut [f32], size: usize, number: usize) -> Option<&mut [f32]> {
    (size > 0).then(|| &mut all[number * size..][..size])
}

struct Backward<'a> {
    norm: &'a Norm<'a>,
    x: &'a [f32],
    /// In `dx` if it is none.
    dy: Option<&'a [f32]>,
    dx: &'a mut [f32],
    /// Sums over these rows.
    gamma: Option<&'a mut [f32]>,
    beta: Option<&'a mut [f32]>,
}

impl Work for Backward<'_> {
    #[inline(always)]
    fn run<I: Floats>(mut self, isa: I) {
        let width = self.norm.gamma.len();
        for row in 0..self.x.len() / width {
            let place = row * width;
            let x = &self.x[place..][..width];
            let dx = &mut self.dx[place..][..width];
            if let Some(dy) = self.dy {
                dx.copy_from_slice(&dy[place..][..width]);
            }
            if let Some(sums) = &mut self.beta {
                for at in places(width) {
                    let sum = isa.add(load(isa, sums, at), load(isa, dx, at));
                    store(isa, sums, at, sum);
                }
            }
            self.norm
                .row_backward(isa, x, dx, self.gamma.as_deref_mut());
        }
    }
}

impl Norm<'_> {
    /// With `x̂` the normed row and `a = dy · gamma`: `dx = (a − mean(a) − x̂ · mean(a · x̂)) / √(variance + ε)`, of
    /// which a root-mean-square norm has no `mean(a)`; and `dgamma += dy · x̂`. `dx` holds `dy`.
    #[inline(always)]
    fn row_backward<I: Floats>(
        &self,
        isa: I,
        x: &[f32],
        dx: &mut [f32],
        dgamma: Option<&mut [f32]>,
    ) {
        let width = x.len();
        let moments = self.moments(isa, x);
        if let Some(sums) = dgamma {
            for at in places(width) {
                let normed = moments.normed(isa, load(isa, x, at));
                let sum = isa.fma(load(isa, dx, at), normed, load(isa, sums, at));
                store(isa, sums, at, sum);
            }
        }
        // Past the end `dy` is 0, and so is `a`.
        let along = total!(isa, width, at => {
            let normed = moments.normed(isa, load(isa, x, at));
            isa.mul(self.slope(isa, dx, at), normed)
        });
        let level = if self.centred {
            total!(isa, width, at => self.slope(isa, dx, at))
        } else {
            0.0
        };
        let along = isa.splat(along / width as f32);
        let level = isa.splat(level / width as f32);
        for at in places(width) {
            let normed = moments.normed(isa, load(isa, x, at));
            let flat = isa.fma(normed, along, level);
            let slope = isa.sub(self.slope(isa, dx, at), flat);
            store(isa, dx, at, isa.mul(slope, isa.splat(moments.inverse)));
        }
    }

    /// `dy · gamma`
    #[inline(always)]
    fn slope<I: Floats>(&self, isa: I, dy: &[f32], at: usize) -> I::F32 {
        isa.mul(load(isa, dy, at), self.factor(isa, at))
    }
}
