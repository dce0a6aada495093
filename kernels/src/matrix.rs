//! A view of a matrix.

use half::{bf16, f16};

use crate::line::{Line, view_mut};

/// A matrix of any of the types. What the kernels are compiled for is settled inside of this crate by it: they
/// are compiled once, optimised, and not in each crate that uses them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Any<'a> {
    F32(Matrix<'a, f32>),
    Bf16(Matrix<'a, bf16>),
    F16(Matrix<'a, f16>),
}

/// Evaluates an expression with the matrix, whatever it is made of.
macro_rules! with {
    ($any:expr, $matrix:ident => $expression:expr) => {
        match $any {
            $crate::matrix::Any::F32($matrix) => $expression,
            $crate::matrix::Any::Bf16($matrix) => $expression,
            $crate::matrix::Any::F16($matrix) => $expression,
        }
    };
}
pub(crate) use with;

impl Any<'_> {
    pub(crate) fn rows(self) -> usize {
        with!(self, matrix => matrix.rows)
    }

    pub(crate) fn columns(self) -> usize {
        with!(self, matrix => matrix.columns)
    }
}

mod sealed {
    pub trait Sealed: Sized {
        #[allow(private_interfaces)]
        fn any(matrix: super::Matrix<'_, Self>) -> super::Any<'_>;
        /// The first `count` numbers in these lines.
        #[allow(private_interfaces)]
        fn view(lines: &mut [super::Line], count: usize) -> &mut [Self];
    }
}

macro_rules! element {
    ($type:ty, $variant:ident, $to_f32:expr) => {
        impl sealed::Sealed for $type {
            #[allow(private_interfaces)]
            fn any(matrix: Matrix<'_, Self>) -> Any<'_> {
                Any::$variant(matrix)
            }
            #[allow(private_interfaces)]
            fn view(lines: &mut [Line], count: usize) -> &mut [Self] {
                view_mut(lines, count)
            }
        }

        impl Element for $type {
            #[inline(always)]
            fn to_f32(self) -> f32 {
                $to_f32(self)
            }
        }
    };
}

element!(f32, F32, std::convert::identity);
element!(bf16, Bf16, |x: bf16| f32::from_bits(
    u32::from(x.to_bits()) << 16
));
element!(f16, F16, f16::to_f32);

/// What matrices are made of: f32, bf16 or f16.
pub trait Element: sealed::Sealed + Copy + Send + Sync + 'static {
    /// The same number.
    fn to_f32(self) -> f32;
}

/// `rows × columns` numbers that somebody else holds, row after row or column after column.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, E> {
    values: &'a [E],
    rows: usize,
    columns: usize,
    by_column: bool,
}

impl<'a, E: Element> Matrix<'a, E> {
    /// Row after row: `values[row · columns + column]`.
    ///
    /// # Panics
    /// If there are not exactly `rows · columns` values.
    pub fn new(values: &'a [E], rows: usize, columns: usize) -> Self {
        assert_eq!(
            Some(values.len()),
            rows.checked_mul(columns),
            "{} values for a matrix of {rows} × {columns}",
            values.len()
        );
        Self {
            values,
            rows,
            columns,
            by_column: false,
        }
    }

    /// The same memory, with rows for columns.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            by_column: !self.by_column,
        }
    }

    pub(crate) fn any(self) -> Any<'a> {
        E::any(self)
    }

    /// Its rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Its columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Whether each row lies in one piece; otherwise each column does.
    #[inline(always)]
    pub(crate) fn has_rows(&self) -> bool {
        !self.by_column
    }

    /// All numbers in the order of memory.
    pub(crate) fn values(&self) -> &'a [E] {
        self.values
    }

    /// From a row to the next, and from a column to the next.
    pub(crate) fn strides(&self) -> (isize, isize) {
        if self.by_column {
            (1, self.rows.cast_signed())
        } else {
            (self.columns.cast_signed(), 1)
        }
    }

    /// One number, as f32.
    #[inline(always)]
    pub(crate) fn at(&self, row: usize, column: usize) -> f32 {
        let index = if self.by_column {
            column * self.rows + row
        } else {
            row * self.columns + column
        };
        self.values[index].to_f32()
    }

    /// Some of a row's numbers, from a column on.
    pub(crate) fn copy(&self, row: usize, column: usize, out: &mut [f32]) {
        if self.has_rows() {
            let numbers = &self.row(row)[column..];
            for (out, number) in out.iter_mut().zip(numbers) {
                *out = number.to_f32();
            }
        } else {
            for (at, out) in out.iter_mut().enumerate() {
                *out = self.at(row, column + at);
            }
        }
    }

    /// A row of a matrix that has rows.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &'a [E] {
        debug_assert!(self.has_rows());
        &self.values[row * self.columns..][..self.columns]
    }
}
