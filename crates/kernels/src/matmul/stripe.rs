//! Products of rows of the first factor with a panel of the second.

use pulp::{Simd, WithSimd};

use crate::element::Real;
use crate::lanes::Lanes;
use crate::tile::{Left, ROWS, VECTORS, accumulate, height, load};

/// The most numbers in a vector of any processor.
const LANES: usize = 16;

/// Rows of the first factor.
#[derive(Clone, Copy)]
pub(super) enum LeftPart<'a, T> {
    InPlace(Left<'a, T>),
    /// Tile after tile, a term a row.
    Tiles(&'a [T]),
}

/// A panel of the second factor.
#[derive(Clone, Copy)]
pub(super) enum RightPart<'a, T> {
    /// Rows that start this far apart.
    InPlace(&'a [T], usize),
    /// Rows of [`VECTORS`] vectors.
    Packed(&'a [T]),
}

/// The product of rows with the columns of a panel that V vectors hold, which are those used.
pub(super) struct Stripe<'a, T, const V: usize> {
    pub left: LeftPart<'a, T>,
    pub right: RightPart<'a, T>,
    pub terms: usize,
    pub rows: usize,
    pub out: &'a mut [T],
    /// From one row of `out` to the next.
    pub out_stride: usize,
    /// Columns of the panel that are part of the product.
    pub used: usize,
    /// Whether the product is added to what `out` holds.
    pub add: bool,
}

/// A function of its own, so that what it holds in registers is not what others need.
impl<T: Real, const V: usize> WithSimd for Stripe<'_, T, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut row = 0;
        while row < self.rows {
            let height = height(self.rows - row);
            match height {
                1 => self.tile::<S, 1>(simd, row),
                2 => self.tile::<S, 2>(simd, row),
                4 => self.tile::<S, 4>(simd, row),
                _ => self.tile::<S, ROWS>(simd, row),
            }
            row += height;
        }
    }
}

impl<T: Real, const V: usize> Stripe<'_, T, V> {
    /// M rows from `row` on.
    #[inline(always)]
    fn tile<S: Simd, const M: usize>(&mut self, simd: S, row: usize) {
        let left = match self.left {
            LeftPart::InPlace(left) => left,
            LeftPart::Tiles(values) => Left::Tile(&values[row * self.terms..]),
        };
        let sums = [[T::splat(simd, T::ZERO); V]; M];
        let sums = match self.right {
            RightPart::Packed(values) => {
                let rows = T::vectors::<S>(values).as_chunks::<VECTORS>().0;
                let rows = rows.iter().map(
                    #[inline(always)]
                    |row| {
                        let mut vectors = [row[0]; V];
                        vectors.copy_from_slice(&row[..V]);
                        vectors
                    },
                );
                accumulate(simd, sums, left, row, self.terms, rows)
            }
            RightPart::InPlace(values, stride) => {
                let rows = values.chunks(stride).map(
                    #[inline(always)]
                    |row| load::<T, S, V>(row),
                );
                accumulate(simd, sums, left, row, self.terms, rows)
            }
        };
        let lanes = T::lanes::<S>();
        let (n, used) = (self.out_stride, self.used);
        let out = &mut self.out[row * n..][..(M - 1) * n + used];
        if used == V * lanes {
            for i in 0..M {
                let out = T::vectors_mut::<S>(&mut out[i * n..][..V * lanes]);
                for v in 0..V {
                    out[v] = if self.add {
                        <T as Lanes>::add(simd, out[v], sums[i][v])
                    } else {
                        sums[i][v]
                    };
                }
            }
        } else {
            for (i, sums) in sums.into_iter().enumerate() {
                store_part(simd, sums, &mut out[i * n..][..used], self.add);
            }
        }
    }
}

/// Writes or adds sums of a row whose last vector reaches beyond it.
#[inline(always)]
fn store_part<T: Real, S: Simd, const V: usize>(
    simd: S,
    sums: [T::Vector<S>; V],
    out: &mut [T],
    add: bool,
) {
    let (whole, part) = out.split_at_mut((V - 1) * T::lanes::<S>());
    for (out, sum) in T::vectors_mut::<S>(whole).iter_mut().zip(sums) {
        *out = if add { <T as Lanes>::add(simd, *out, sum) } else { sum };
    }
    let mut last = [T::ZERO; LANES];
    T::vectors_mut::<S>(&mut last)[0] = sums[V - 1];
    for (out, sum) in part.iter_mut().zip(last) {
        *out = if add { *out + sum } else { sum };
    }
}
