//! Where weights come from that are packed.

use std::marker::PhantomData;

use crate::isa::LANES;
use crate::line::{Line, view_mut};
use crate::matrix::{Any, Element, Matrix};
use crate::scratch::Scratch;

/// Weights `[outputs, inputs]` that are handed out by panels.
pub(crate) trait Outputs: Sync {
    fn outputs(&self) -> usize;
    fn inputs(&self) -> usize;
    /// Calls `f` with a matrix that has the panel's outputs, and with the place of the first of them in it.
    fn panel(&self, panel: usize, f: &mut dyn FnMut(Any, usize));
}

impl Outputs for Any<'_> {
    fn outputs(&self) -> usize {
        self.rows()
    }

    fn inputs(&self) -> usize {
        self.columns()
    }

    fn panel(&self, panel: usize, f: &mut dyn FnMut(Any, usize)) {
        f(*self, panel * LANES);
    }
}

/// Writes the bytes of whole outputs, from one on.
type Read<'a> = dyn Fn(usize, &mut [u8]) + Sync + 'a;

/// Weights of type `E` that are read a panel at a time.
pub(crate) struct Elsewhere<'a, E> {
    outputs: usize,
    inputs: usize,
    read: &'a Read<'a>,
    element: PhantomData<fn() -> E>,
}

impl<'a, E: Element> Elsewhere<'a, E> {
    pub(crate) fn new(outputs: usize, inputs: usize, read: &'a Read<'a>) -> Self {
        Self {
            outputs,
            inputs,
            read,
            element: PhantomData,
        }
    }
}

impl<E: Element> Outputs for Elsewhere<'_, E> {
    fn outputs(&self) -> usize {
        self.outputs
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn panel(&self, panel: usize, f: &mut dyn FnMut(Any, usize)) {
        let first = panel * LANES;
        let rows = (self.outputs - first).min(LANES);
        let count = rows * self.inputs;
        let bytes = count * size_of::<E>();
        Scratch::with(|scratch| {
            let [lines, ..] = scratch.lines([bytes.div_ceil(Line::BYTES), 0, 0]);
            (self.read)(first, view_mut(lines, bytes));
            f(
                Matrix::new(E::view(lines, count), rows, self.inputs).any(),
                0,
            );
        });
    }
}
