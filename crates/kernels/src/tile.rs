//! Tiles of matrix products: sums that stay in registers.
//!
//! The second factor's rows are read by vectors, the first factor's numbers are broadcast one by one, so
//! that neither has to be copied for it.

use pulp::Simd;

use crate::element::Real;
use crate::lanes::Lanes;

/// Most rows of a tile.
pub(crate) const ROWS: usize = 6;
/// Real in a row of a tile: with [`ROWS`], as many sums as hide the latency of a multiply-add and
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

/// The product of M rows of `left`, from `row` on, with V vectors of each term's row of the second
/// factor, plus `sums`. Terms are added one after the other.
#[inline(always)]
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
            let first = |i: usize| (start as isize + (row + i) as isize * stride) as usize;
            let rows: [&[T]; M] = std::array::from_fn(|i| &values[first(i)..][..terms]);
            let steps = terms / STEP;
            let by_steps: [&[[T; STEP]]; M] =
                std::array::from_fn(|i| &rows[i].as_chunks::<STEP>().0[..steps]);
            #[allow(clippy::needless_range_loop, reason = "it counts through all rows")]
            for step in 0..steps {
                let left: [&[T; STEP]; M] = std::array::from_fn(|i| &by_steps[i][step]);
                sums = add_term(simd, sums, left.map(|left| &left[0]), &mut right);
                sums = add_term(simd, sums, left.map(|left| &left[1]), &mut right);
                sums = add_term(simd, sums, left.map(|left| &left[2]), &mut right);
                sums = add_term(simd, sums, left.map(|left| &left[3]), &mut right);
            }
            for t in steps * STEP..terms {
                sums = add_term(simd, sums, rows.map(|row| &row[t]), &mut right);
            }
        }
        Left::Columns(values, start, stride) => {
            let mut at = (start + row) as isize;
            for _ in 0..terms {
                let left = &values[at as usize..][..M];
                sums = add_term(simd, sums, std::array::from_fn(|i| &left[i]), &mut right);
                at += stride;
            }
        }
    }
    sums
}

/// Adds a term to the sums. The numbers of `left` are loaded here, so that it is one instruction with
/// their broadcast.
#[inline(always)]
fn add_term<T: Real, S: Simd, const M: usize, const V: usize>(
    simd: S,
    mut sums: Sums<T, S, M, V>,
    left: [&T; M],
    right: &mut impl Iterator<Item = [T::Vector<S>; V]>,
) -> Sums<T, S, M, V> {
    let Some(right) = right.next() else { return sums };
    for i in 0..M {
        let left = T::splat(simd, *left[i]);
        for v in 0..V {
            sums[i][v] = T::mul_add(simd, left, right[v], sums[i][v]);
        }
    }
    sums
}

/// V vectors from the start of a slice.
#[inline(always)]
pub(crate) fn load<T: Real, S: Simd, const V: usize>(values: &[T]) -> [T::Vector<S>; V] {
    let vectors = T::vectors::<S>(&values[..V * T::lanes::<S>()]);
    std::array::from_fn(|v| vectors[v])
}
