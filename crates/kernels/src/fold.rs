//! Folds of rows and of columns, several numbers at a time.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use crate::element::{Real, dispatch};
use crate::lanes::Lanes;
use crate::strides::Axes;

/// An operation that numbers may be folded with in any order.
pub(crate) trait Fold {
    fn start<T: Real>() -> T;

    fn join<T: Real>(x: T, y: T) -> T;

    fn join_vectors<T: Real, S: Simd>(simd: S, x: T::Vector<S>, y: T::Vector<S>) -> T::Vector<S>;

    /// The fold of a vector's numbers.
    fn of_vector<T: Real, S: Simd>(simd: S, vector: T::Vector<S>) -> T;
}

pub(crate) struct Sum;

impl Fold for Sum {
    #[inline(always)]
    fn start<T: Real>() -> T {
        T::ZERO
    }

    #[inline(always)]
    fn join<T: Real>(x: T, y: T) -> T {
        x + y
    }

    #[inline(always)]
    fn join_vectors<T: Real, S: Simd>(simd: S, x: T::Vector<S>, y: T::Vector<S>) -> T::Vector<S> {
        <T as Lanes>::add(simd, x, y)
    }

    #[inline(always)]
    fn of_vector<T: Real, S: Simd>(simd: S, vector: T::Vector<S>) -> T {
        <T as Lanes>::sum(simd, vector)
    }
}

/// What is not a number is larger than any.
pub(crate) struct Max;

impl Fold for Max {
    #[inline(always)]
    fn start<T: Real>() -> T {
        T::LOWEST
    }

    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn join<T: Real>(x: T, y: T) -> T {
        let larger = if y > x { y } else { x };
        if y == y { larger } else { y }
    }

    #[inline(always)]
    fn join_vectors<T: Real, S: Simd>(simd: S, x: T::Vector<S>, y: T::Vector<S>) -> T::Vector<S> {
        T::max(simd, x, y)
    }

    #[inline(always)]
    fn of_vector<T: Real, S: Simd>(_: S, vector: T::Vector<S>) -> T {
        fold_few::<T, Self>(T::of::<S>(&vector))
    }
}

/// Folds rows, each without gaps, to one number each.
///
/// The axes walk over the rows' first elements.
pub(crate) fn fold_rows<T: Real, F: Fold>(
    values: &[T],
    start: usize,
    axes: Axes<1>,
    length: usize,
    folds: &mut [T],
) {
    dispatch(Rows { values, start, axes, length, folds, fold: PhantomData::<F> });
}

struct Rows<'a, T, F> {
    values: &'a [T],
    start: usize,
    axes: Axes<1>,
    length: usize,
    folds: &'a mut [T],
    fold: PhantomData<F>,
}

impl<T: Real, F: Fold> WithSimd for Rows<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The partial folds of blocks are folded in turn.
        const BLOCK: usize = 4096;
        for (fold, [at]) in self.folds.iter_mut().zip(self.axes.offsets([self.start])) {
            let row = &self.values[at..at + self.length];
            *fold = if row.len() <= BLOCK {
                fold_block::<T, F, S>(simd, row)
            } else {
                let blocks = row.chunks(BLOCK).map(|block| fold_block::<T, F, S>(simd, block));
                blocks.fold(F::start(), |fold, of_block| F::join(fold, of_block))
            };
        }
    }
}

#[inline(always)]
fn fold_block<T: Real, F: Fold, S: Simd>(simd: S, row: &[T]) -> T {
    let (vectors, rest) = T::split::<S>(row);
    if vectors.len() < 2 {
        return fold_few::<T, F>(row);
    }
    let (fours, others) = vectors.as_chunks::<4>();
    let mut folds = [T::splat(simd, F::start()); 4];
    for four in fours {
        for i in 0..4 {
            folds[i] = F::join_vectors::<T, S>(simd, folds[i], four[i]);
        }
    }
    for (fold, other) in folds.iter_mut().zip(others) {
        *fold = F::join_vectors::<T, S>(simd, *fold, *other);
    }
    let [a, b, c, d] = folds;
    let halves = [F::join_vectors::<T, S>(simd, a, c), F::join_vectors::<T, S>(simd, b, d)];
    let fold = F::of_vector(simd, F::join_vectors::<T, S>(simd, halves[0], halves[1]));
    if rest.is_empty() { fold } else { F::join(fold, fold_few::<T, F>(rest)) }
}

/// The fold of numbers that are hardly enough for a vector.
#[inline(always)]
fn fold_few<T: Real, F: Fold>(numbers: &[T]) -> T {
    let (fours, rest) = numbers.as_chunks::<4>();
    let few = rest.iter().fold(F::start(), |fold, x| F::join(fold, *x));
    let mut fours = fours.iter();
    let Some(first) = fours.next() else {
        return few;
    };
    let [mut a, mut b, mut c, mut d] = *first;
    for four in fours {
        a = F::join(a, four[0]);
        b = F::join(b, four[1]);
        c = F::join(c, four[2]);
        d = F::join(d, four[3]);
    }
    let fold = F::join(F::join(a, c), F::join(b, d));
    if rest.is_empty() { fold } else { F::join(fold, few) }
}

/// The sums of the products of two rows' elements, for each pair of rows.
pub(crate) fn dot_rows<T: Real>(x: &[T], y: &[T], length: usize, sums: &mut [T]) {
    dispatch(Pairs { x, y, length, sums });
}

struct Pairs<'a, T> {
    x: &'a [T],
    y: &'a [T],
    length: usize,
    sums: &'a mut [T],
}

impl<T: Real> WithSimd for Pairs<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.x.chunks_exact(self.length).zip(self.y.chunks_exact(self.length));
        for (sum, (x, y)) in self.sums.iter_mut().zip(rows) {
            let ((x, rest_of_x), (y, rest_of_y)) = (T::split::<S>(x), T::split::<S>(y));
            let ((twos_of_x, x), (twos_of_y, y)) = (x.as_chunks::<2>(), y.as_chunks::<2>());
            let mut sums = [T::splat(simd, T::ZERO); 2];
            for (x, y) in twos_of_x.iter().zip(twos_of_y) {
                for i in 0..2 {
                    sums[i] = T::mul_add(simd, x[i], y[i], sums[i]);
                }
            }
            for (x, y) in x.iter().zip(y) {
                sums[0] = T::mul_add(simd, *x, *y, sums[0]);
            }
            let rest = rest_of_x.iter().zip(rest_of_y).fold(T::ZERO, |sum, (x, y)| sum + *x * *y);
            *sum = <T as Lanes>::sum(simd, <T as Lanes>::add(simd, sums[0], sums[1])) + rest;
        }
    }
}

/// The folds of the columns of rows, each without gaps, from `start` on: so many of them at such a
/// distance.
#[inline(always)]
pub(crate) fn fold_columns<T: Real, F: Fold>(
    values: &[T],
    start: usize,
    (length, stride): (usize, isize),
    folds: &mut [T],
) {
    const NARROW: usize = 32;
    const WIDE: usize = 4 * NARROW;
    let width = folds.len();
    let mut done = 0;
    folds.fill(F::start());
    if width < NARROW && stride == width as isize {
        // Several rows are one wider row.
        let times = WIDE / width;
        if length >= 2 * times {
            let mut wide = [F::start(); WIDE];
            let wide = &mut wide[..times * width];
            let count = length / times;
            fold_wide::<T, F>(values, start, (count, stride * times as isize), wide);
            for part in wide.chunks_exact(width) {
                for (fold, value) in folds.iter_mut().zip(part) {
                    *fold = F::join(*fold, *value);
                }
            }
            done = count * times;
        }
    }
    let start = (start as isize + done as isize * stride) as usize;
    fold_wide::<T, F>(values, start, (length - done, stride), folds);
}

/// As `fold_columns`, on top of the folds there.
#[inline(always)]
fn fold_wide<T: Real, F: Fold>(
    values: &[T],
    start: usize,
    (length, stride): (usize, isize),
    folds: &mut [T],
) {
    // So many columns at a time that their folds stay in the nearest cache.
    const TILE: usize = 1024;
    for (tile, folds) in folds.chunks_mut(TILE).enumerate() {
        let width = folds.len();
        let row = |index: usize| {
            let at = (start as isize + index as isize * stride) as usize + tile * TILE;
            &values[at..at + width]
        };
        let mut next = 0;
        while next + 8 <= length {
            let rows: [&[T]; 8] = std::array::from_fn(
                #[inline(always)]
                |i| row(next + i),
            );
            for (i, fold) in folds.iter_mut().enumerate() {
                let pair = |row: usize| F::join(rows[row][i], rows[row + 1][i]);
                let halves = [F::join(pair(0), pair(2)), F::join(pair(4), pair(6))];
                *fold = F::join(*fold, F::join(halves[0], halves[1]));
            }
            next += 8;
        }
        for index in next..length {
            for (fold, value) in folds.iter_mut().zip(row(index)) {
                *fold = F::join(*fold, *value);
            }
        }
    }
}
