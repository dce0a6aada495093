//! The result of a product, which several threads write.

use std::marker::PhantomData;

use crate::isa::LANES;

/// `[rows, columns]` f32, row after row, written in panels of 16 columns.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    start: *mut f32,
    rows: usize,
    columns: usize,
    memory: PhantomData<&'a mut [f32]>,
}

// SAFETY: threads touch the memory through `read` and `write` only, whose callers promise that no two
// use the same place.
unsafe impl Sync for Sink<'_> {}
// SAFETY: as above; it borrows the memory for itself alone.
unsafe impl Send for Sink<'_> {}

impl<'a> Sink<'a> {
    /// # Panics
    /// If `values` are not `rows · columns`.
    pub(crate) fn new(values: &'a mut [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(Some(values.len()), rows.checked_mul(columns));
        Self {
            start: values.as_mut_ptr(),
            rows,
            columns,
            memory: PhantomData,
        }
    }

    /// Panels of a row.
    pub(crate) fn panels(&self) -> usize {
        self.columns.div_ceil(LANES)
    }

    /// The place of the panel in the row, and how many of its columns there are.
    #[inline(always)]
    fn place(&self, row: usize, panel: usize) -> (*mut f32, usize) {
        let column = panel * LANES;
        assert!(row < self.rows && column < self.columns);
        // SAFETY: both are inside, so the offset is less than the length of the slice that `new` got.
        let place = unsafe { self.start.add(row * self.columns + column) };
        (place, (self.columns - column).min(LANES))
    }

    /// # Safety
    /// No other thread writes this panel of this row meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn read(&self, row: usize, panel: usize) -> [f32; LANES] {
        let (place, count) = self.place(row, panel);
        let mut out = [0.0; LANES];
        // SAFETY: `count` columns lie from `place` on, and nobody writes them.
        unsafe {
            if count == LANES {
                out = place.cast::<[f32; LANES]>().read();
            } else {
                place.copy_to_nonoverlapping(out.as_mut_ptr(), count);
            }
        }
        out
    }

    /// # Safety
    /// No other thread reads or writes this panel of this row meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn write(&self, row: usize, panel: usize, values: &[f32; LANES]) {
        let (place, count) = self.place(row, panel);
        // SAFETY: `count` columns lie from `place` on, and nobody else uses them.
        unsafe {
            if count == LANES {
                place.cast::<[f32; LANES]>().write(*values);
            } else {
                place.copy_from_nonoverlapping(values.as_ptr(), count);
            }
        }
    }
}
