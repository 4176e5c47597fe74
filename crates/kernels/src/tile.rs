//! Tiles of matrix products: sums that stay in registers.
//!
//! The second factor's rows are read by vectors, the first factor's numbers are broadcast one by one, so
//! that neither has to be copied for it.

use pulp::Simd;

use crate::element::Real;
use crate::lanes::Lanes;

/// Most rows of a tile.
pub(crate) const ROWS: usize = 6;
/// Vectors in a row of a tile: with [`ROWS`], as many sums as hide the latency of a multiply-add and
/// still stay in registers.
pub(crate) const VECTORS: usize = 2;

/// Rows of the next tile where this many are left: two tiles of 4 rows before one of 6 and a slow one
/// of 2.
#[inline(always)]
pub(crate) fn height(left: usize) -> usize {
    match left {
        0 | 1 => 1,
        2 | 3 => 2,
        4 | 5 | 7 | 8 => 4,
        _ => ROWS,
    }
}

/// The first factor, `[rows, terms]`.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a, T> {
    /// Row i, term t at `start + i * stride + t`, with these numbers, start and stride.
    Rows(&'a [T], usize, isize),
    /// Row i, term t at `start + t * stride + i`.
    Columns(&'a [T], usize, isize),
    /// The rows of one tile from the start on, a term's numbers after the other's.
    Tile(&'a [T]),
}

impl<'a, T> Left<'a, T> {
    /// Rows that start this far apart, the first with the slice.
    pub(crate) fn rows(values: &'a [T], stride: usize) -> Self {
        Self::Rows(values, 0, stride as isize)
    }

    /// Columns that start this far apart, the first with the slice.
    pub(crate) fn columns(values: &'a [T], stride: usize) -> Self {
        Self::Columns(values, 0, stride as isize)
    }
}

/// Sums of M rows and V vectors.
pub(crate) type Sums<T, S, const M: usize, const V: usize> = [[<T as Lanes>::Vector<S>; V]; M];

/// Terms that rows of the first factor are read ahead by, so that what goes with a step is done once for
/// several.
const STEP: usize = 4;

/// Adds a term to sums of M rows and V vectors: the next vectors of the second factor times the number
/// of each row. A number is loaded where it is broadcast, so that both are one instruction.
macro_rules! add_term {
    ($simd:ident, $sums:ident, $right:ident, $i:ident => $left:expr) => {
        if let Some(right) = $right.next() {
            for $i in 0..M {
                let left = T::splat($simd, $left);
                for v in 0..V {
                    $sums[$i][v] = T::mul_add($simd, left, right[v], $sums[$i][v]);
                }
            }
        }
    };
}

/// The product of M rows of `left`, from `row` on, with V vectors of each term's row of the second
/// factor, plus `sums`. Terms are added one after the other.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "each is an index into all rows")]
pub(crate) fn accumulate<T: Real, S: Simd, const M: usize, const V: usize>(
    simd: S,
    mut sums: Sums<T, S, M, V>,
    left: Left<'_, T>,
    row: usize,
    terms: usize,
    mut right: impl Iterator<Item = [T::Vector<S>; V]>,
) -> Sums<T, S, M, V> {
    match left {
        Left::Rows(values, start, stride) => {
            let mut by_steps: [&[[T; STEP]]; M] = [&[]; M];
            let mut rest: [&[T]; M] = [&[]; M];
            let [steps, terms_left] = [terms / STEP, terms % STEP];
            for i in 0..M {
                let first = (start as isize + (row + i) as isize * stride) as usize;
                let (by_steps_of_row, rest_of_row) = values[first..][..terms].as_chunks();
                by_steps[i] = &by_steps_of_row[..steps];
                rest[i] = &rest_of_row[..terms_left];
            }
            for step in 0..steps {
                add_term!(simd, sums, right, i => by_steps[i][step][0]);
                add_term!(simd, sums, right, i => by_steps[i][step][1]);
                add_term!(simd, sums, right, i => by_steps[i][step][2]);
                add_term!(simd, sums, right, i => by_steps[i][step][3]);
            }
            for t in 0..terms_left {
                add_term!(simd, sums, right, i => rest[i][t]);
            }
        }
        Left::Columns(values, start, stride) => {
            let mut at = (start + row) as isize;
            for _ in 0..terms {
                let left = &values[at as usize..][..M];
                add_term!(simd, sums, right, i => left[i]);
                at += stride;
            }
        }
        Left::Tile(values) => {
            for left in &values.as_chunks::<M>().0[..terms] {
                add_term!(simd, sums, right, i => left[i]);
            }
        }
    }
    sums
}

/// V vectors from the start of a slice.
#[inline(always)]
pub(crate) fn load<T: Real, S: Simd, const V: usize>(values: &[T]) -> [T::Vector<S>; V] {
    let vectors = T::vectors::<S>(&values[..V * T::lanes::<S>()]);
    let mut loaded = [vectors[0]; V];
    loaded.copy_from_slice(&vectors[..V]);
    loaded
}
