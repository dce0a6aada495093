//! Activations, with a gate or without.

use crate::curve::Curve;
use crate::isa::Floats;
use crate::level::Level;
use crate::pointwise::{Pointwise, pointwise};

/// The functions that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Function {
    /// `x · σ(x)`
    Silu,
    /// `x · σ(1.702 x)`
    QuickGelu,
    /// `x / 2 · (1 + erf(x / √2))`
    Gelu,
    /// `x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`
    GeluTanh,
}

/// A function of every number, in one pass over memory.
///
/// Results are within some units in the last place of the true ones, of the gelu near its zeros within a
/// millionth. NaN stays NaN; −∞ gives NaN, as `−∞ · 0` does.
#[derive(Debug, Clone, Copy)]
pub struct Activation {
    function: Function,
    level: Level,
}

/// Evaluates an expression with the function.
macro_rules! with {
    ($function:expr, $curve:ident => $expression:expr) => {
        match $function {
            Function::Silu => {
                use crate::curve::Silu as $curve;
                $expression
            }
            Function::QuickGelu => {
                use crate::curve::QuickGelu as $curve;
                $expression
            }
            Function::Gelu => {
                use crate::curve::Gelu as $curve;
                $expression
            }
            Function::GeluTanh => {
                use crate::curve::GeluTanh as $curve;
                $expression
            }
        }
    };
}

/// All methods panic if slices differ in length. They run in rayon's current pool if that is worth it.
impl Activation {
    /// With the best instructions of this processor.
    pub fn new(function: Function) -> Self {
        Self {
            function,
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

    /// `y = f(x)`
    pub fn forward(self, x: &[f32], y: &mut [f32]) {
        with!(self.function, F => pointwise(self.level, Value(F), [y], [x]));
    }

    /// `x = f(x)`
    pub fn forward_in_place(self, x: &mut [f32]) {
        with!(self.function, F => pointwise(self.level, Value(F), [x], []));
    }

    /// `dx = f′(x) · dy`
    pub fn backward(self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        with!(self.function, F => pointwise(self.level, Slope(F), [dx], [x, dy]));
    }

    /// `dy = f′(x) · dy`
    pub fn backward_in_place(self, x: &[f32], dy: &mut [f32]) {
        with!(self.function, F => pointwise(self.level, Slope(F), [dy], [x]));
    }

    /// `y = f(gate) · up`
    pub fn gate(self, gate: &[f32], up: &[f32], y: &mut [f32]) {
        with!(self.function, F => pointwise(self.level, Gate(F), [y], [gate, up]));
    }

    /// `gate = f(gate) · up`
    pub fn gate_in_place(self, gate: &mut [f32], up: &[f32]) {
        with!(self.function, F => pointwise(self.level, Gate(F), [gate], [up]));
    }

    /// `dgate = f′(gate) · up · dy` and `dup = f(gate) · dy`
    pub fn gate_backward(
        self,
        gate: &[f32],
        up: &[f32],
        dy: &[f32],
        dgate: &mut [f32],
        dup: &mut [f32],
    ) {
        with!(self.function, F => pointwise(
            self.level,
            GateSlope(F),
            [dgate, dup],
            [gate, up, dy],
        ));
    }

    /// The same, written over `gate` and `up`.
    pub fn gate_backward_in_place(self, gate: &mut [f32], up: &mut [f32], dy: &[f32]) {
        with!(self.function, F => pointwise(
            self.level,
            GateSlope(F),
            [gate, up],
            [dy],
        ));
    }
}

#[derive(Debug, Clone, Copy)]
struct Value<F>(F);

impl<F: Curve> Pointwise<1, 1> for Value<F> {
    #[inline(always)]
    fn apply<I: Floats>(self, isa: I, _: [I::F32; 1], [x]: [I::F32; 1]) -> [I::F32; 1] {
        [F::value(isa, x)]
    }
}

impl<F: Curve> Pointwise<1, 0> for Value<F> {
    #[inline(always)]
    fn apply<I: Floats>(self, isa: I, [x]: [I::F32; 1], []: [I::F32; 0]) -> [I::F32; 1] {
        [F::value(isa, x)]
    }
}

#[derive(Debug, Clone, Copy)]
struct Slope<F>(F);

impl<F: Curve> Pointwise<1, 2> for Slope<F> {
    #[inline(always)]
    fn apply<I: Floats>(self, isa: I, _: [I::F32; 1], [x, dy]: [I::F32; 2]) -> [I::F32; 1] {
        [isa.mul(F::slope(isa, x).1, dy)]
    }
}

impl<F: Curve> Pointwise<1, 1> for Slope<F> {
    #[inline(always)]
    fn apply<I: Floats>(self, isa: I, [dy]: [I::F32; 1], [x]: [I::F32; 1]) -> [I::F32; 1] {
        [isa.mul(F::slope(isa, x).1, dy)]
    }
}

#[derive(Debug, Clone, Copy)]
struct Gate<F>(F);

impl<F: Curve> Pointwise<1, 2> for Gate<F> {
    #[inline(always)]
    fn apply<I: Floats>(self, isa: I, _: [I::F32; 1], [gate, up]: [I::F32; 2]) -> [I::F32; 1] {
        [isa.mul(F::value(isa, gate), up)]
    }
}

impl<F: Curve> Pointwise<1, 1> for Gate<F> {
    #[inline(always)]
    fn apply<I: Floats>(self, isa: I, [gate]: [I::F32; 1], [up]: [I::F32; 1]) -> [I::F32; 1] {
        [isa.mul(F::value(isa, gate), up)]
    }
}

#[derive(Debug, Clone, Copy)]
struct GateSlope<F>(F);

impl<F: Curve> Pointwise<2, 3> for GateSlope<F> {
    #[inline(always)]
    fn apply<I: Floats>(self, isa: I, _: [I::F32; 2], [gate, up, dy]: [I::F32; 3]) -> [I::F32; 2] {
        let (value, slope) = F::slope(isa, gate);
        [isa.mul(isa.mul(slope, up), dy), isa.mul(value, dy)]
    }
}

impl<F: Curve> Pointwise<2, 1> for GateSlope<F> {
    #[inline(always)]
    fn apply<I: Floats>(self, isa: I, [gate, up]: [I::F32; 2], [dy]: [I::F32; 1]) -> [I::F32; 2] {
        Pointwise::<2, 3>::apply(self, isa, [gate, up], [gate, up, dy])
    }
}
