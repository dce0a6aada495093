//! Products of small matrices in registers.

use super::terms::Terms;
use crate::isa::{Kernel, Lanes};
use crate::line::Line;

/// `c[row] = factor · (c[row] + Σ a[row, step] · b[step])`, or without the former `c`.
///
/// `b` is `[steps, width]` lines and `c` `[rows, width]` lines of f32.
pub(crate) struct Product<'a, T: Terms> {
    pub(crate) terms: T,
    pub(crate) a: &'a [T::Number],
    /// Numbers between the rows of `a`, and between its steps, of [`Terms::TERMS`] numbers each.
    pub(crate) strides: (usize, usize),
    pub(crate) rows: usize,
    pub(crate) steps: usize,
    pub(crate) b: &'a [Line],
    pub(crate) width: usize,
    pub(crate) c: &'a mut [Line],
    /// Whether `c` is added to.
    pub(crate) resumed: bool,
    pub(crate) factor: f32,
}

impl<T: Terms> Kernel<T::Isa> for Product<'_, T> {
    #[inline(always)]
    fn run(mut self, _: T::Isa) {
        if self.rows == 0 || self.width == 0 {
            return;
        }
        // What the unchecked reads of `tile` rely on.
        assert!(self.c.len() >= self.rows * self.width);
        assert!(self.b.len() >= self.steps * self.width);
        if self.steps > 0 {
            let last = (self.rows - 1) * self.strides.0 + (self.steps - 1) * self.strides.1;
            assert!(self.a.len() >= last + T::TERMS);
        }
        let mut left = self.width.div_ceil(T::TILE.1);
        let mut line = 0;
        while left > 0 {
            let count = (self.width - line).div_ceil(left);
            match count {
                1 => self.lines::<1>(line),
                2 if T::TILE.1 >= 2 => self.lines::<2>(line),
                3 if T::TILE.1 >= 3 => self.lines::<3>(line),
                4 if T::TILE.1 >= 4 => self.lines::<4>(line),
                _ => unreachable!("no tile has more lines"),
            }
            line += count;
            left -= 1;
        }
    }
}

impl<T: Terms> Product<'_, T> {
    /// `P` neighbouring lines of all rows.
    #[inline(always)]
    fn lines<const P: usize>(&mut self, line: usize) {
        let mut left = self.rows.div_ceil(T::TILE.0);
        let mut row = 0;
        while left > 0 {
            let count = (self.rows - row).div_ceil(left);
            match count {
                1 => self.tile::<1, P>(row, line),
                2 => self.tile::<2, P>(row, line),
                3 if T::TILE.0 >= 3 => self.tile::<3, P>(row, line),
                4 if T::TILE.0 >= 4 => self.tile::<4, P>(row, line),
                5 if T::TILE.0 >= 5 => self.tile::<5, P>(row, line),
                6 if T::TILE.0 >= 6 => self.tile::<6, P>(row, line),
                _ => unreachable!("no tile has more rows"),
            }
            row += count;
            left -= 1;
        }
    }

    /// `R` rows times `P` lines, whose sums stay in registers.
    #[inline(always)]
    fn tile<const R: usize, const P: usize>(&mut self, row: usize, line: usize) {
        let (terms, isa) = (self.terms, self.terms.isa());
        let mut sums = [[isa.splat(0.0); P]; R];
        if self.resumed {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = isa.load(self.c[(row + r) * self.width + line + p].f32s());
                }
            }
        }
        let mut rows = [self.a.as_ptr(); R];
        for (r, start) in rows.iter_mut().enumerate() {
            *start = start.wrapping_add((row + r) * self.strides.0);
        }
        let b = self.b.as_ptr().wrapping_add(line);
        for step in 0..self.steps {
            let at = b.wrapping_add(step * self.width);
            // SAFETY: `line + P` is at most `width`, so that these lie in `b` by the check in `run`.
            let mut sides = [terms.side(unsafe { &*at }); P];
            for (p, side) in sides.iter_mut().enumerate() {
                // SAFETY: as above.
                *side = terms.side(unsafe { &*at.wrapping_add(p) });
            }
            for (sums, start) in sums.iter_mut().zip(rows) {
                // SAFETY: by the check in `run` so many numbers lie from there on.
                let one = unsafe { terms.one(start.wrapping_add(step * self.strides.1)) };
                for (sum, side) in sums.iter_mut().zip(sides) {
                    *sum = terms.add(*sum, side, one);
                }
            }
        }
        let factor = isa.splat(self.factor);
        for (r, sums) in sums.iter().enumerate() {
            for (p, sum) in sums.iter().enumerate() {
                let place = &mut self.c[(row + r) * self.width + line + p];
                *place.f32s_mut() = isa.store(isa.mul(*sum, factor));
            }
        }
    }
}
