//! Norms of rows: root mean square (Zhang and Sennrich 2019, arXiv 1910.07467) and layer norm (Ba et al.
//! 2016, arXiv 1607.06450).

mod backward;

pub use backward::NormGradients;

use crate::isa::{Floats, Work, work};
use crate::level::Level;
use crate::schedule;
use crate::vectors::{COST, load, places, store, total};

/// `y = (x − mean) / √(variance + ε) · gamma + beta` of each row; in a root-mean-square norm the mean counts as
/// 0, and so does beta.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    gamma: &'a [f32],
    /// Added to gamma.
    offset: f32,
    beta: Option<&'a [f32]>,
    centred: bool,
    epsilon: f64,
    level: Level,
}

/// What a row is moved and stretched by.
#[derive(Debug, Clone, Copy)]
struct Moments {
    mean: f32,
    /// `1 / √(variance + ε)`
    inverse: f32,
}

impl Moments {
    #[inline(always)]
    fn normed<I: Floats>(self, isa: I, x: I::F32) -> I::F32 {
        isa.mul(isa.sub(x, isa.splat(self.mean)), isa.splat(self.inverse))
    }
}

/// Rows are as wide as gamma. All methods panic if a slice is no whole number of rows, or slices differ in length.
/// They run in rayon's current pool if that is worth it. Sums are f32 in an order that depends on nothing
/// but the width.
impl<'a> Norm<'a> {
    /// `x / √(mean(x²) + ε) · gamma`
    ///
    /// # Panics
    /// If gamma is empty, as for the others.
    pub fn rms(gamma: &'a [f32], epsilon: f64) -> Self {
        assert!(!gamma.is_empty(), "a norm of nothing");
        Self {
            gamma,
            offset: 0.0,
            beta: None,
            centred: false,
            epsilon,
            level: Level::best(),
        }
    }

    /// `x / √(mean(x²) + ε) · (1 + gamma)`: Gemma's.
    pub fn rms_offset(gamma: &'a [f32], epsilon: f64) -> Self {
        Self {
            offset: 1.0,
            ..Self::rms(gamma, epsilon)
        }
    }

    /// `(x − mean(x)) / √(var(x) + ε) · gamma + beta`, with the variance of the row as it is (divided by its
    /// width).
    ///
    /// # Panics
    /// If gamma and beta differ in length.
    pub fn layer(gamma: &'a [f32], beta: &'a [f32], epsilon: f64) -> Self {
        assert_eq!(gamma.len(), beta.len(), "gamma and beta");
        Self {
            beta: Some(beta),
            centred: true,
            ..Self::rms(gamma, epsilon)
        }
    }

    /// With the instructions of a given level.
    ///
    /// # Panics
    /// Later, if the processor does not have the level.
    #[must_use]
    pub fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// `y = norm(x)`
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        self.check(y.len(), x.len());
        self.rows([y], |first, [y]| Forward {
            norm: self,
            source: Source::Other(&x[first..][..y.len()]),
            y,
        });
    }

    /// `x = norm(x)`
    pub fn forward_in_place(&self, x: &mut [f32]) {
        self.check(x.len(), x.len());
        self.rows([x], |_, [y]| Forward {
            norm: self,
            source: Source::Same,
            y,
        });
    }

    /// `h = h + x` and `y = norm(h)`: what ends one part of a block and begins the next.
    pub fn forward_sum(&self, h: &mut [f32], x: &[f32], y: &mut [f32]) {
        self.check(y.len(), x.len());
        self.check(y.len(), h.len());
        self.rows([y, h], |first, [y, h]| Forward {
            norm: self,
            source: Source::Sum(h, &x[first..][..y.len()]),
            y,
        });
    }

    fn check(&self, length: usize, other: usize) {
        self.level.check();
        let width = self.gamma.len();
        assert!(
            length.is_multiple_of(width),
            "{length} numbers in rows of {width}"
        );
        assert_eq!(length, other, "numbers that belong together");
    }

    /// Does the work on some rows that `part` makes of the place of their first number.
    fn rows<'b, const N: usize, W: Work>(
        &self,
        outputs: [&'b mut [f32]; N],
        part: impl Fn(usize, [&'b mut [f32]; N]) -> W + Send + Sync,
    ) {
        let width = self.gamma.len();
        let cost = COST * outputs[0].len();
        schedule::parts(outputs, [width; N], cost, |row, outputs| {
            work(self.level, part(row * width, outputs));
        });
    }

    /// The mean and the spread of a row.
    #[inline(always)]
    fn moments<I: Floats>(&self, isa: I, x: &[f32]) -> Moments {
        let width = x.len();
        if !self.centred {
            let squares = total!(isa, width, at => {
                let x = load(isa, x, at);
                isa.mul(x, x)
            });
            return self.spread(0.0, squares, width);
        }
        let mean = total!(isa, width, at => load(isa, x, at)) / width as f32;
        let centre = isa.splat(mean);
        let whole = width - width % crate::isa::LANES;
        let squares = total!(isa, whole, at => {
            let x = isa.sub(load(isa, x, at), centre);
            isa.mul(x, x)
        });
        // Past the end a number would be 0, and not the mean.
        let rest = x[whole..].iter().map(|x| (x - mean) * (x - mean));
        self.spread(mean, squares + rest.sum::<f32>(), width)
    }

    /// The moments of a row whose squares have this sum.
    #[inline(always)]
    fn spread(&self, mean: f32, squares: f32, width: usize) -> Moments {
        #[allow(clippy::cast_possible_truncation)]
        let inverse = (1.0 / (f64::from(squares) / width as f64 + self.epsilon).sqrt()) as f32;
        Moments { mean, inverse }
    }

    /// `gamma`, whatever is added to it included.
    #[inline(always)]
    fn factor<I: Floats>(&self, isa: I, at: usize) -> I::F32 {
        isa.add(load(isa, self.gamma, at), isa.splat(self.offset))
    }
}

/// Where rows come from.
enum Source<'a> {
    /// The place where the result goes.
    Same,
    Other(&'a [f32]),
    /// Two summands; the sum is written to the first.
    Sum(&'a mut [f32], &'a [f32]),
}

struct Forward<'a> {
    norm: &'a Norm<'a>,
    source: Source<'a>,
    y: &'a mut [f32],
}

impl Work for Forward<'_> {
    #[inline(always)]
    fn run<I: Floats>(self, isa: I) {
        let (norm, width) = (self.norm, self.norm.gamma.len());
        let rows = self.y.chunks_exact_mut(width);
        match self.source {
            Source::Same => {
                for y in rows {
                    let moments = norm.moments(isa, y);
                    for at in places(width) {
                        let x = load(isa, y, at);
                        store(isa, y, at, norm.apply(isa, moments, at, x));
                    }
                }
            }
            Source::Other(x) => {
                for (x, y) in x.chunks_exact(width).zip(rows) {
                    norm.row(isa, x, y);
                }
            }
            Source::Sum(h, x) => {
                let summands = h.chunks_exact_mut(width).zip(x.chunks_exact(width));
                for ((h, x), y) in summands.zip(rows) {
                    for at in places(width) {
                        let sum = isa.add(load(isa, h, at), load(isa, x, at));
                        store(isa, h, at, sum);
                    }
                    norm.row(isa, h, y);
                }
            }
        }
    }
}

impl Norm<'_> {
    #[inline(always)]
    fn row<I: Floats>(&self, isa: I, x: &[f32], y: &mut [f32]) {
        let moments = self.moments(isa, x);
        for at in places(x.len()) {
            let x = load(isa, x, at);
            store(isa, y, at, self.apply(isa, moments, at, x));
        }
    }

    /// The result for the numbers `x` at a place of a row.
    #[inline(always)]
    fn apply<I: Floats>(&self, isa: I, moments: Moments, at: usize, x: I::F32) -> I::F32 {
        let x = moments.normed(isa, x);
        let factor = self.factor(isa, at);
        match self.beta {
            Some(beta) => isa.fma(x, factor, load(isa, beta, at)),
            None => isa.mul(x, factor),
        }
    }
}
