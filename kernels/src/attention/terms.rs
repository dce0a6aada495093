//! How the products of attention are made: in f32, or of pairs of bf16.

use half::slice::HalfFloatSliceExt;

use super::view::Values;
use crate::activation::bf16_bits;
#[cfg(target_arch = "x86_64")]
use crate::isa::avx512::Bf16;
use crate::isa::scores::Scores;
use crate::isa::{Floats, LANES, Lanes};
#[cfg(target_arch = "x86_64")]
use crate::isa::{
    Pairs,
    scores::{Doubles, INTERLEAVED},
};
use crate::line::{Line, Plain};

/// Sums of products: one factor lies in the 16 lanes of a line, the other is the same for all of them.
pub(crate) trait Terms: Copy + Send + Sync + 'static {
    type Isa: Scores;
    /// What numbers are held as.
    type Number: Plain;
    /// A line as the product wants it.
    type Side: Copy;
    /// The other factor, one number for each term.
    type One: Copy;
    /// Products that are added in one step. Of so many neighbours of a sum a line holds one after the other, lane by
    /// lane.
    const TERMS: usize;
    /// Rows and lines that are worked on together: as many as the registers hold.
    const TILE: (usize, usize);
    /// Numbers in the lanes of [`Terms::wide`].
    const ORDER: [[usize; LANES]; 2];

    fn isa(self) -> Self::Isa;
    fn side(self, line: &Line) -> Self::Side;
    /// # Safety
    /// `TERMS` numbers lie there.
    unsafe fn one(self, at: *const Self::Number) -> Self::One;
    fn add(self, sum: F32<Self>, side: Self::Side, one: Self::One) -> F32<Self>;
    /// `sum` and the products of [`WIDE`] numbers with as many others, each in one of the lanes.
    ///
    /// # Safety
    /// So many numbers lie at both places.
    unsafe fn dot(
        self,
        sum: F32<Self>,
        a: *const Self::Number,
        b: *const Self::Number,
    ) -> F32<Self>;
    /// [`WIDE`] numbers of [`Terms::TERMS`] rows as sides of products; their lanes are in the order of
    /// [`Terms::ORDER`].
    ///
    /// # Safety
    /// So many numbers lie at both places.
    unsafe fn wide(self, rows: [*const Self::Number; 2]) -> [Self::Side; 2];
    /// As products read it.
    fn number(self, value: f32) -> Self::Number;
    /// Stores the terms `at` (an even number) and `at + 1` of a sum, whose lines are `stride` apart.
    fn put(self, lines: &mut [Line], stride: usize, at: usize, two: [F32<Self>; 2]);
    /// The numbers as they are, if a product of rows of `features` can read them.
    fn borrow(self, values: Values<'_>, features: usize) -> Option<&[Self::Number]>;
}

/// 16 numbers.
pub(crate) type F32<T> = <<T as Terms>::Isa as Lanes>::F32;

/// Numbers of a row that are read at a time.
pub(crate) const WIDE: usize = 2 * LANES;

/// Lines that `count` terms take.
pub(crate) const fn steps<T: Terms>(count: usize) -> usize {
    count.div_ceil(T::TERMS)
}

/// Products in f32, of numbers that may be rounded to bf16 first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Single<I> {
    pub(crate) isa: I,
    pub(crate) rounded: bool,
}

fn rounded(value: f32) -> f32 {
    f32::from_bits(u32::from(bf16_bits(value)) << 16)
}

impl<I: Scores + 'static> Terms for Single<I> {
    type Isa = I;
    type Number = f32;
    type Side = I::F32;
    type One = f32;
    const TERMS: usize = 1;
    const TILE: (usize, usize) = <I as Floats>::TILE;
    const ORDER: [[usize; LANES]; 2] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [
            16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
        ],
    ];

    #[inline(always)]
    fn isa(self) -> I {
        self.isa
    }
    #[inline(always)]
    fn side(self, line: &Line) -> I::F32 {
        self.isa.load(line.f32s())
    }
    #[inline(always)]
    unsafe fn one(self, at: *const f32) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { at.read() }
    }
    #[inline(always)]
    fn add(self, sum: I::F32, side: I::F32, one: f32) -> I::F32 {
        self.isa.fma(side, self.isa.splat(one), sum)
    }
    #[inline(always)]
    unsafe fn dot(self, sum: I::F32, a: *const f32, b: *const f32) -> I::F32 {
        // SAFETY: the caller's promise; arrays of f32 are aligned as f32 are.
        let (a, b) = unsafe {
            (
                &*a.cast::<[[f32; LANES]; 2]>(),
                &*b.cast::<[[f32; LANES]; 2]>(),
            )
        };
        let isa = self.isa;
        let sum = isa.fma(isa.load(&a[0]), isa.load(&b[0]), sum);
        isa.fma(isa.load(&a[1]), isa.load(&b[1]), sum)
    }
    #[inline(always)]
    unsafe fn wide(self, [row, _]: [*const f32; 2]) -> [I::F32; 2] {
        // SAFETY: as above.
        let row = unsafe { &*row.cast::<[[f32; LANES]; 2]>() };
        [self.isa.load(&row[0]), self.isa.load(&row[1])]
    }
    #[inline(always)]
    fn number(self, value: f32) -> f32 {
        if self.rounded { rounded(value) } else { value }
    }
    #[inline(always)]
    fn put(self, lines: &mut [Line], stride: usize, at: usize, two: [I::F32; 2]) {
        for (term, values) in two.into_iter().enumerate() {
            let mut values = self.isa.store(values);
            if self.rounded {
                values = values.map(rounded);
            }
            *lines[(at + term) * stride].f32s_mut() = values;
        }
    }
    fn borrow(self, values: Values<'_>, _: usize) -> Option<&[f32]> {
        match values {
            Values::F32(values) if !self.rounded => Some(values),
            _ => None,
        }
    }
}

/// Products of pairs of bf16, where the processor has them.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Double(pub(crate) Bf16);

#[cfg(target_arch = "x86_64")]
impl Terms for Double {
    type Isa = Bf16;
    type Number = u16;
    type Side = <Bf16 as Pairs>::Weights;
    type One = u32;
    const TERMS: usize = 2;
    const TILE: (usize, usize) = <Bf16 as Pairs>::TILE;
    const ORDER: [[usize; LANES]; 2] = INTERLEAVED;

    #[inline(always)]
    fn isa(self) -> Bf16 {
        self.0
    }
    #[inline(always)]
    fn side(self, line: &Line) -> Self::Side {
        self.0.weights(line)
    }
    #[inline(always)]
    unsafe fn one(self, at: *const u16) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<u32>().read_unaligned() }
    }
    #[inline(always)]
    fn add(self, sum: F32<Self>, side: Self::Side, one: u32) -> F32<Self> {
        self.0.pairs(sum, side, one)
    }
    #[inline(always)]
    unsafe fn dot(self, sum: F32<Self>, a: *const u16, b: *const u16) -> F32<Self> {
        // SAFETY: the caller's promise; arrays of u16 are aligned as u16 are.
        unsafe { self.0.dot(sum, &*a.cast(), &*b.cast()) }
    }
    #[inline(always)]
    unsafe fn wide(self, [first, second]: [*const u16; 2]) -> [Self::Side; 2] {
        // SAFETY: as above.
        unsafe { self.0.interleave(&*first.cast(), &*second.cast()) }
    }
    #[inline(always)]
    fn number(self, value: f32) -> u16 {
        bf16_bits(value)
    }
    #[inline(always)]
    fn put(self, lines: &mut [Line], stride: usize, at: usize, two: [F32<Self>; 2]) {
        lines[at / 2 * stride] = self.0.double(two[0], two[1]);
    }
    fn borrow(self, values: Values<'_>, features: usize) -> Option<&[u16]> {
        match values {
            Values::Bf16(values) if features.is_multiple_of(2) => Some(values.reinterpret_cast()),
            _ => None,
        }
    }
}

const _: () = assert!(size_of::<Line>() == LANES * size_of::<f32>());
