//! Matrix products of the sizes of a convolution.
//!
//! A general library copies both factors into its own order before it multiplies; here the second
//! factor's rows are read wherever they are.

use crate::element::Real;
use crate::tile::{Left, ROWS, VECTORS, accumulate, height, load};
use pulp::{Arch, Simd, WithSimd};

/// To what multiple of numbers rows are lengthened: a whole number of vectors of any processor.
pub(super) const ALIGN: usize = 16;

/// The length of a buffer's rows that hold `len` numbers: whole vectors, and an odd number of cache
/// lines in single precision, so that a column of rows does not fall on few of the cache's sets.
pub(super) fn row_stride(len: usize) -> usize {
    (len.div_ceil(ALIGN) | 1) * ALIGN
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
            let height = height(self.rows - row);
            match height {
                1 => self.tile::<S, 1, V>(simd, row, column),
                2 => self.tile::<S, 2, V>(simd, row, column),
                4 => self.tile::<S, 4, V>(simd, row, column),
                _ => self.tile::<S, ROWS, V>(simd, row, column),
            }
            row += height;
        }
    }

    /// M rows of V vectors.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) {
        let width = V * T::lanes::<S>();
        let at = |i: usize| (row + i) * self.c_stride + column;
        let mut sums = [[T::splat(simd, T::ZERO); V]; M];
        if self.add {
            for (i, sums) in sums.iter_mut().enumerate() {
                *sums = load(&self.c[at(i)..]);
            }
        }
        let b_rows = self.b_rows.iter().map(|start| load(&self.b[start + column..]));
        let sums = accumulate(simd, sums, self.a, row, self.b_rows.len(), b_rows);
        for (i, sums) in sums.iter().enumerate() {
            let c = &mut self.c[at(i)..][..width];
            T::vectors_mut::<S>(c).copy_from_slice(sums);
        }
    }
}

impl<T: Real> WithSimd for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = T::lanes::<S>();
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
