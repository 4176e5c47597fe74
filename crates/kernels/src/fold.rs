//! Folds of rows and of columns, several numbers at a time.

use crate::element::Real;

/// An operation that numbers may be folded with in any order.
pub(crate) trait Fold {
    fn start<T: Real>() -> T;

    fn join<T: Real>(x: T, y: T) -> T;
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
        if (y > x) | (y != y) { y } else { x }
    }
}

/// The fold of a row without gaps.
#[inline(always)]
pub(crate) fn fold_row<T: Real, F: Fold>(row: &[T]) -> T {
    // The partial folds of blocks are folded in turn.
    const BLOCK: usize = 2048;
    if row.len() <= BLOCK {
        return fold_block::<T, F>(row);
    }
    row.chunks(BLOCK).fold(F::start(), |fold, block| F::join(fold, fold_block::<T, F>(block)))
}

#[inline(always)]
fn fold_block<T: Real, F: Fold>(row: &[T]) -> T {
    if row.len() < 32 {
        return fold_lanes::<T, F, 4>(row);
    }
    fold_lanes::<T, F, 32>(row)
}

/// So many partial folds.
#[inline(always)]
fn fold_lanes<T: Real, F: Fold, const N: usize>(row: &[T]) -> T {
    let mut lanes = [F::start(); N];
    let (chunks, rest) = row.as_chunks::<N>();
    for values in chunks {
        for i in 0..N {
            lanes[i] = F::join(lanes[i], values[i]);
        }
    }
    let few = rest.iter().fold(F::start(), |fold, value| F::join(fold, *value));
    let mut half = N / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = F::join(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    F::join(lanes[0], few)
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

/// The sum of the products of two rows' elements.
#[inline(always)]
pub(crate) fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    let mut lanes = [T::ZERO; 16];
    let ((x, rest_of_x), (y, rest_of_y)) = (x.as_chunks::<16>(), y.as_chunks::<16>());
    for (x, y) in x.iter().zip(y) {
        for i in 0..16 {
            lanes[i] = lanes[i] + x[i] * y[i];
        }
    }
    let rest = rest_of_x.iter().zip(rest_of_y).fold(T::ZERO, |sum, (x, y)| sum + *x * *y);
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] = lanes[i] + lanes[i + half];
        }
    }
    lanes[0] + rest
}
