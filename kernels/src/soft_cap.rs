//! Numbers kept below a bound, as Gemma 2 does with its logits.

use crate::isa::Floats;
use crate::level::Level;
use crate::math::tanh;
use crate::pointwise::{Pointwise, pointwise};

/// `y = cap · tanh(x / cap)`, in one pass over memory.
///
/// Runs in rayon's current pool if that is worth it.
#[derive(Debug, Clone, Copy)]
pub struct SoftCap {
    cap: f32,
    level: Level,
}

impl SoftCap {
    /// Results lie between `−cap` and `cap`.
    pub fn new(cap: f32) -> Self {
        Self {
            cap,
            level: Level::best(),
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

    /// Writes `y` over `x`.
    pub fn forward_in_place(self, x: &mut [f32]) {
        pointwise(self.level, Cap(self.cap), [x], []);
    }

    /// The gradient of `x` out of that of `y`, written over it: `dy · (1 − (y / cap)²)`.
    ///
    /// # Panics
    /// If the slices differ in length.
    pub fn backward_in_place(self, y: &[f32], dy: &mut [f32]) {
        pointwise(self.level, Slope(self.cap), [dy], [y]);
    }
}

#[derive(Debug, Clone, Copy)]
struct Cap(f32);

impl Pointwise<1, 0> for Cap {
    #[inline(always)]
    fn apply<I: Floats>(self, isa: I, [x]: [I::F32; 1], []: [I::F32; 0]) -> [I::F32; 1] {
        let cap = isa.splat(self.0);
        [isa.mul(tanh(isa, isa.div(x, cap)), cap)]
    }
}

#[derive(Debug, Clone, Copy)]
struct Slope(f32);

impl Pointwise<1, 1> for Slope {
    #[inline(always)]
    fn apply<I: Floats>(self, isa: I, [dy]: [I::F32; 1], [y]: [I::F32; 1]) -> [I::F32; 1] {
        let share = isa.div(y, isa.splat(self.0));
        let slope = isa.sub(isa.splat(1.0), isa.mul(share, share));
        [isa.mul(dy, slope)]
    }
}
