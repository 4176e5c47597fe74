//! Matrix products of the sizes of a convolution.
//!
//! A general library copies both factors into its own order before it multiplies; here the second
//! factor's rows are read wherever they are, and the first factor's numbers are broadcast one by one, so
//! that neither is copied.

use super::real::Real;
use pulp::{Arch, Simd, WithSimd};

/// Rows of a tile.
const ROWS: usize = 6;
/// Vectors in a row of a tile: with [`ROWS`], as many sums as hide the latency of a multiply-add and
/// still stay in registers.
const VECTORS: usize = 2;
/// To what multiple of numbers rows are lengthened: a whole number of vectors of any processor.
pub(super) const ALIGN: usize = 16;

/// The length of a buffer's rows that hold `len` numbers: whole vectors, and an odd number of cache
/// lines in single precision, so that a column of rows does not fall on few of the cache's sets.
pub(super) fn row_stride(len: usize) -> usize {
    (len.div_ceil(ALIGN) | 1) * ALIGN
}

/// The first factor, `[rows, inner]`.
#[derive(Clone, Copy)]
pub(super) enum Left<'a, T> {
    /// Row i, term t at `i * stride + t`.
    Rows(&'a [T], usize),
    /// Row i, term t at `t * stride + i`.
    Columns(&'a [T], usize),
}

/// c (+)= a b, c being `[rows, columns]` and b `[inner, columns]`.
///
/// Rows are read and written in whole vectors: beyond `columns` up to a multiple of [`ALIGN`].
pub(super) struct Product<'a, T> {
    /// The first factor.
    pub a: Left<'a, T>,
    /// The second factor.
    pub b: &'a [T],
    /// Where b's rows start, one for each term.
    pub b_rows: &'a [usize],
    /// The product.
    pub c: &'a mut [T],
    /// The length of c's rows.
    pub c_stride: usize,
    /// Rows of a and c.
    pub rows: usize,
    /// Columns of b and c.
    pub columns: usize,
    /// Whether the product is added to what c holds.
    pub add: bool,
}

impl<T: Real> Product<'_, T> {
    /// Evaluates it.
    pub fn evaluate(self) {
        if self.rows > 0 && self.columns > 0 {
            Arch::new().dispatch(self);
        }
    }

    /// All rows of the columns from `column` on that V vectors hold.
    #[inline(always)]
    fn stripe<S: Simd, const V: usize>(&mut self, simd: S, column: usize) {
        let mut row = 0;
        while row < self.rows {
            // Two tiles of 4 rows before one of 6 and a slow one of 2.
            row += match self.rows - row {
                1 => self.tile::<S, 1, V>(simd, row, column),
                2 | 3 => self.tile::<S, 2, V>(simd, row, column),
                4 | 5 | 7 | 8 => self.tile::<S, 4, V>(simd, row, column),
                _ => self.tile::<S, ROWS, V>(simd, row, column),
            };
        }
    }

    /// M rows of V vectors, M given back.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) -> usize {
        let lanes = size_of::<T::Vector<S>>() / size_of::<T>();
        let at = |i: usize| (row + i) * self.c_stride + column;
        let mut sums = [[T::splat(simd, T::ZERO); V]; M];
        if self.add {
            for (i, sums) in sums.iter_mut().enumerate() {
                sums.copy_from_slice(&T::vectors::<S>(&self.c[at(i)..][..V * lanes])[..V]);
            }
        }
        let b_rows = self.b_rows;
        match self.a {
            Left::Rows(a, stride) => {
                let a: [&[T]; M] =
                    std::array::from_fn(|i| &a[(row + i) * stride..][..b_rows.len()]);
                for (t, b_row) in b_rows.iter().enumerate() {
                    let b = &self.b[b_row + column..][..V * lanes];
                    let b = T::vectors::<S>(b);
                    for (sums, a) in sums.iter_mut().zip(&a) {
                        let a = T::splat(simd, a[t]);
                        for (sum, b) in sums.iter_mut().zip(b) {
                            *sum = T::mul_add(simd, a, *b, *sum);
                        }
                    }
                }
            }
            Left::Columns(a, stride) => {
                for (t, b_row) in b_rows.iter().enumerate() {
                    let a = &a[t * stride + row..][..M];
                    let b = &self.b[b_row + column..][..V * lanes];
                    let b = T::vectors::<S>(b);
                    for (sums, a) in sums.iter_mut().zip(a) {
                        let a = T::splat(simd, *a);
                        for (sum, b) in sums.iter_mut().zip(b) {
                            *sum = T::mul_add(simd, a, *b, *sum);
                        }
                    }
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            let c = &mut self.c[(row + i) * self.c_stride + column..][..V * lanes];
            T::vectors_mut::<S>(c).copy_from_slice(sums);
        }
        M
    }
}

impl<T: Real> WithSimd for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = size_of::<T::Vector<S>>() / size_of::<T>();
        let mut column = 0;
        while column < self.columns {
            if self.columns - column > lanes {
                self.stripe::<S, VECTORS>(simd, column);
                column += VECTORS * lanes;
            } else {
                self.stripe::<S, 1>(simd, column);
                column += lanes;
            }
        }
    }
}
