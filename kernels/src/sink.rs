//! The result of a product, which several threads write.

use std::marker::PhantomData;

use crate::isa::{LANES, Lanes};

/// What is added to each row of a product on its way to memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct Addends<'a> {
    /// `[outputs]`: added first.
    pub bias: Option<&'a [f32]>,
    /// `[rows, outputs]`: added then.
    pub residual: Option<&'a [f32]>,
}

/// `[rows, columns]` f32, row after row, written in panels of 16 columns.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    start: *mut f32,
    rows: usize,
    columns: usize,
    addends: Addends<'a>,
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
            addends: Addends::default(),
            memory: PhantomData,
        }
    }

    /// The numbers that `write` writes, and what is added to them, in memory that nobody else has written.
    ///
    /// # Panics
    /// As [`Sink::with`].
    ///
    /// # Safety
    /// It writes each panel of each row.
    pub(crate) unsafe fn filled(
        rows: usize,
        columns: usize,
        addends: Addends<'a>,
        write: impl FnOnce(&Sink<'_>),
    ) -> Vec<f32> {
        let count = rows.checked_mul(columns).expect("a result that has a size");
        let mut values = Vec::with_capacity(count);
        let sink = Sink {
            start: values.as_mut_ptr(),
            rows,
            columns,
            addends: Addends::default(),
            memory: PhantomData,
        };
        write(&sink.with(addends));
        // SAFETY: the caller promises that all of them are written.
        unsafe { values.set_len(count) };
        values
    }

    /// # Panics
    /// If the bias is not as wide as a row, or the residual of another size than the result.
    pub(crate) fn with(self, addends: Addends<'a>) -> Self {
        if let Some(bias) = addends.bias {
            assert_eq!(bias.len(), self.columns, "a bias for each output");
        }
        if let Some(residual) = addends.residual {
            assert_eq!(
                residual.len(),
                self.rows * self.columns,
                "a residual for each result"
            );
        }
        Self { addends, ..self }
    }

    /// Rows of the result.
    pub(crate) fn rows(&self) -> usize {
        self.rows
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

    /// Writes sums that are complete, with what is added to them.
    ///
    /// # Safety
    /// No other thread reads or writes this panel of this row meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn finish<I: Lanes>(&self, isa: I, row: usize, panel: usize, sum: I::F32) {
        let column = panel * LANES;
        let Addends { bias, residual } = self.addends;
        let residual = residual.map(|residual| &residual[row * self.columns..][..self.columns]);
        let mut sum = sum;
        for addend in [bias, residual].into_iter().flatten() {
            let addend = &addend[column..];
            let addend = match addend.first_chunk::<LANES>() {
                Some(addend) => isa.load(addend),
                None => isa.load(&filled_up(addend)),
            };
            sum = isa.add(sum, addend);
        }
        // SAFETY: the caller promises it.
        unsafe { self.write(row, panel, &isa.store(sum)) };
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

/// The last columns of a row, with zeros behind them.
#[cold]
fn filled_up(columns: &[f32]) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    out[..columns.len()].copy_from_slice(columns);
    out
}
