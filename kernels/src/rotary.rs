//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864), in halves as Hugging Face's LLaMA has it.

use half::bf16;

use crate::activation::bf16_bits;
use crate::isa::{Floats, Work, work};
use crate::level::Level;
use crate::schedule;
use crate::vectors::{COST, load, places, store};

/// Turns feature `i` of each head with feature `i + half`, by an angle of the token:
///
/// ```text
/// y[i]        = x[i] · cos[i] − x[i + half] · sin[i]
/// y[i + half] = x[i + half] · cos[i] + x[i] · sin[i]
/// ```
///
/// Features past `2 · half` stay as they are.
#[derive(Debug, Clone, Copy)]
pub struct Rotary<'a> {
    cos: &'a [f32],
    sin: &'a [f32],
    tokens: usize,
    backward: bool,
    level: Level,
}

/// `x` is `[token, head, head_dim]`, with the tokens of all sequences one after the other. All methods panic if
/// it is not that many heads of each token, if a head has fewer features than are turned, or if slices differ
/// in length. They run in rayon's current pool if that is worth it.
impl<'a> Rotary<'a> {
    /// `cos` and `sin` are `[token, half]`.
    ///
    /// # Panics
    /// If they are no whole number of rows, or differ in length.
    pub fn new(cos: &'a [f32], sin: &'a [f32], tokens: usize) -> Self {
        assert_eq!(cos.len(), sin.len(), "cosines and sines");
        assert!(
            tokens > 0 && cos.len().is_multiple_of(tokens) || cos.is_empty(),
            "{} cosines of {tokens} tokens",
            cos.len()
        );
        Self {
            cos,
            sin,
            tokens,
            backward: false,
            level: Level::best(),
        }
    }

    /// Turns back: the gradient of `x` out of that of `y`.
    #[must_use]
    pub fn backward(self) -> Self {
        Self {
            backward: !self.backward,
            ..self
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

    /// Turns `x` with so many heads into `y`.
    pub fn turn(&self, x: &[f32], heads: usize, y: &mut [f32]) {
        assert_eq!(x.len(), y.len(), "numbers that belong together");
        let sizes = self.sizes(x.len(), heads);
        schedule::parts([y], [sizes.row()], COST * x.len(), |token, [y]| {
            y.copy_from_slice(&x[token * sizes.row()..][..y.len()]);
            self.tokens(token, sizes, y);
        });
    }

    /// Turns `x` with so many heads where it is.
    pub fn turn_in_place(&self, x: &mut [f32], heads: usize) {
        let sizes = self.sizes(x.len(), heads);
        let cost = COST * x.len();
        schedule::parts([x], [sizes.row()], cost, |token, [x]| {
            self.tokens(token, sizes, x);
        });
    }

    /// Turns `x` with so many heads into `y`, rounded to bf16: keys as a cache holds them.
    pub fn turn_bf16(&self, x: &[f32], heads: usize, y: &mut [bf16]) {
        assert_eq!(x.len(), y.len(), "numbers that belong together");
        let sizes = self.sizes(x.len(), heads);
        schedule::parts([y], [sizes.row()], COST * x.len(), |token, [y]| {
            let x = &x[token * sizes.row()..][..y.len()];
            work(
                self.level,
                Turn {
                    rotary: self,
                    token,
                    sizes,
                    x: Heads::Round(x, y),
                },
            );
        });
    }

    /// Turns the tokens from this one on.
    fn tokens(&self, token: usize, sizes: Sizes, x: &mut [f32]) {
        work(
            self.level,
            Turn {
                rotary: self,
                token,
                sizes,
                x: Heads::InPlace(x),
            },
        );
    }

    fn sizes(&self, length: usize, heads: usize) -> Sizes {
        self.level.check();
        let tokens = self.tokens;
        let rows = tokens * heads;
        assert!(
            rows > 0 && length.is_multiple_of(rows) || length == 0,
            "{length} numbers of {tokens} tokens with {heads} heads"
        );
        let half = self.cos.len() / tokens.max(1);
        let head_dim = length / rows.max(1);
        assert!(
            2 * half <= head_dim || length == 0,
            "{half} angles for heads of {head_dim} features"
        );
        Sizes {
            heads,
            head_dim,
            half,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    heads: usize,
    head_dim: usize,
    half: usize,
}

impl Sizes {
    /// Numbers of a token.
    fn row(self) -> usize {
        self.heads * self.head_dim
    }
}

/// The heads of some tokens.
enum Heads<'a> {
    InPlace(&'a mut [f32]),
    Round(&'a [f32], &'a mut [bf16]),
}

struct Turn<'a> {
    rotary: &'a Rotary<'a>,
    token: usize,
    sizes: Sizes,
    x: Heads<'a>,
}

impl Work for Turn<'_> {
    #[inline(always)]
    fn run<I: Floats>(self, isa: I) {
        let Sizes { head_dim, half, .. } = self.sizes;
        let row = self.sizes.row();
        let angles = |number: usize| {
            let place = (self.token + number) * half;
            (
                &self.rotary.cos[place..][..half],
                &self.rotary.sin[place..][..half],
            )
        };
        match self.x {
            Heads::InPlace(x) => {
                for (number, x) in x.chunks_exact_mut(row).enumerate() {
                    let angles = angles(number);
                    for head in x.chunks_exact_mut(head_dim) {
                        self.rotary.turn_head(isa, angles, head);
                    }
                }
            }
            Heads::Round(x, y) => {
                let tokens = x.chunks_exact(row).zip(y.chunks_exact_mut(row));
                for (number, (x, y)) in tokens.enumerate() {
                    let angles = angles(number);
                    for (x, y) in x.chunks_exact(head_dim).zip(y.chunks_exact_mut(head_dim)) {
                        self.rotary.round_head(isa, angles, x, y);
                    }
                }
            }
        }
    }
}

impl Rotary<'_> {
    /// Some features of the two halves, turned.
    #[inline(always)]
    fn turned<I: Floats>(
        &self,
        isa: I,
        (cos, sin): (&[f32], &[f32]),
        (first, second): (&[f32], &[f32]),
        at: usize,
    ) -> (I::F32, I::F32) {
        let (cos, sin) = (load(isa, cos, at), load(isa, sin, at));
        let sin = if self.backward {
            isa.sub(isa.splat(0.0), sin)
        } else {
            sin
        };
        let (first, second) = (load(isa, first, at), load(isa, second, at));
        (
            isa.sub(isa.mul(first, cos), isa.mul(second, sin)),
            isa.add(isa.mul(second, cos), isa.mul(first, sin)),
        )
    }

    #[inline(always)]
    fn turn_head<I: Floats>(&self, isa: I, angles: (&[f32], &[f32]), head: &mut [f32]) {
        let half = angles.0.len();
        let (first, rest) = head.split_at_mut(half);
        let second = &mut rest[..half];
        for at in places(half) {
            let turned = self.turned(isa, angles, (first, second), at);
            store(isa, first, at, turned.0);
            store(isa, second, at, turned.1);
        }
    }

    #[inline(always)]
    fn round_head<I: Floats>(
        &self,
        isa: I,
        angles: (&[f32], &[f32]),
        head: &[f32],
        out: &mut [bf16],
    ) {
        let half = angles.0.len();
        let halves = (&head[..half], &head[half..2 * half]);
        let (first, rest) = out.split_at_mut(half);
        let (second, rest) = rest.split_at_mut(half);
        for at in places(half) {
            let turned = self.turned(isa, angles, halves, at);
            for (out, turned) in [(&mut *first, turned.0), (&mut *second, turned.1)] {
                for (out, number) in out[at..].iter_mut().zip(isa.store(turned)) {
                    *out = bf16::from_bits(bf16_bits(number));
                }
            }
        }
        for (out, number) in rest.iter_mut().zip(&head[2 * half..]) {
            *out = bf16::from_bits(bf16_bits(*number));
        }
    }
}
