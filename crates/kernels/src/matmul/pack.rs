//! Copies of parts of the factors in the order in which tiles read them.

use pulp::Simd;

use super::product::Matrix;
use crate::element::Real;
use crate::tile::{ROWS, VECTORS, height, load};

/// Copies `[terms, columns]` of the second factor, from `start` on, into panels of `width` columns, one
/// after the other, a term a row. What is left of the last panel is not overwritten.
#[inline(always)]
pub(super) fn pack_right<T: Real, S: Simd>(
    right: Matrix<'_, T>,
    start: usize,
    [terms, columns]: [usize; 2],
    width: usize,
    to: &mut [T],
) {
    let panels = to.chunks_exact_mut(width * terms);
    for (column, panel) in (0..columns).step_by(width).zip(panels) {
        let used = width.min(columns - column);
        if right.transposed {
            let first = |j: usize| {
                let at = start as isize + (column + j) as isize * right.stride;
                &right.values[at as usize..][..terms]
            };
            // As many numbers in a row of a square as vectors hold with a fast transpose.
            match size_of::<T>() {
                4 => turn::<T, 8>(first, used, width, panel),
                _ => turn::<T, 4>(first, used, width, panel),
            }
        } else {
            for (t, to) in panel.chunks_exact_mut(width).enumerate() {
                let at = (start + column) as isize + t as isize * right.stride;
                let from = &right.values[at as usize..][..used];
                if used == width {
                    T::vectors_mut::<S>(to)[..VECTORS]
                        .copy_from_slice(&load::<T, S, VECTORS>(from));
                } else {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}

/// Copies columns into the start of rows of `width`, by squares.
#[inline(always)]
fn turn<'a, T: Real, const SIDE: usize>(
    column: impl Fn(usize) -> &'a [T],
    columns: usize,
    width: usize,
    to: &mut [T],
) {
    let whole = columns - columns % SIDE;
    for first in (0..whole).step_by(SIDE) {
        let from: [&[T]; SIDE] = std::array::from_fn(
            #[inline(always)]
            |j| column(first + j),
        );
        let from = from.map(|column| column.as_chunks::<SIDE>());
        let squares = from[0].0.len();
        let from: [&[[T; SIDE]]; SIDE] =
            from.map(|(squares_of_column, _)| &squares_of_column[..squares]);
        for (square, to) in to.chunks_exact_mut(SIDE * width).enumerate().take(squares) {
            let square: [[T; SIDE]; SIDE] = std::array::from_fn(
                #[inline(always)]
                |j| from[j][square],
            );
            for (t, to) in to.chunks_exact_mut(width).enumerate() {
                let to = &mut to[first..][..SIDE];
                for j in 0..SIDE {
                    to[j] = square[j][t];
                }
            }
        }
        let rest = to.len() / width % SIDE;
        let (terms, from_term) = (to.len() / width, to.len() / width - rest);
        for t in from_term..terms {
            for j in 0..SIDE {
                to[t * width + first + j] = column(first + j)[t];
            }
        }
    }
    for j in whole..columns {
        for (to, from) in to.chunks_exact_mut(width).zip(column(j)) {
            to[j] = *from;
        }
    }
}

/// Copies `[rows, terms]` of the first factor, from `start` on: rows one after the other, or, where its
/// columns are without gaps, tile after tile, a term a row.
#[inline(always)]
pub(super) fn pack_left<T: Real>(
    left: Matrix<'_, T>,
    start: usize,
    [rows, terms]: [usize; 2],
    to: &mut [T],
) {
    if !left.transposed {
        for (row, to) in to.chunks_exact_mut(terms).enumerate().take(rows) {
            let at = start as isize + row as isize * left.stride;
            to.copy_from_slice(&left.values[at as usize..][..terms]);
        }
        return;
    }
    /// Terms that are read from all tiles at once: neighbours of a row are in one cache line.
    const TERMS: usize = 16;
    for first in (0..terms).step_by(TERMS) {
        let last = terms.min(first + TERMS);
        let mut row = 0;
        while row < rows {
            let to = &mut to[row * terms..];
            let start = start + row;
            let height = height(rows - row);
            match height {
                1 => rows_of_tile::<T, 1>(left, start, first..last, to),
                2 => rows_of_tile::<T, 2>(left, start, first..last, to),
                4 => rows_of_tile::<T, 4>(left, start, first..last, to),
                _ => rows_of_tile::<T, ROWS>(left, start, first..last, to),
            }
            row += height;
        }
    }
}

#[inline(always)]
fn rows_of_tile<T: Real, const M: usize>(
    left: Matrix<'_, T>,
    start: usize,
    terms: std::ops::Range<usize>,
    to: &mut [T],
) {
    let to = to[terms.start * M..terms.end * M].as_chunks_mut::<M>().0;
    for (t, to) in terms.zip(to) {
        let at = start as isize + t as isize * left.stride;
        to.copy_from_slice(&left.values[at as usize..][..M]);
    }
}
