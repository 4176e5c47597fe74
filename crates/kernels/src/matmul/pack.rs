//! Copies of parts of the factors in the order in which tiles read them.

use pulp::Simd;

use super::product::Matrix;
use crate::element::Real;
use crate::tile::{ROWS, VECTORS, height};
use crate::turn::{SIDE, Turn};

/// Copies `[terms, columns]` of the second factor, from `start` on, into panels of `width` columns, one
/// after the other, a term a row. What is beyond the last column is any numbers.
#[inline(always)]
pub(super) fn pack_right<T: Real, S: Simd>(
    right: Matrix<'_, T>,
    start: usize,
    [terms, columns]: [usize; 2],
    width: usize,
    to: &mut [T],
) {
    if right.transposed {
        let turn = Turn::new();
        for (column, to) in (0..columns).step_by(width).zip(to.chunks_exact_mut(width * terms)) {
            let first = |j: usize| {
                let at = start as isize + (column + j) as isize * right.stride;
                &right.values[at as usize..][..terms]
            };
            turn_columns(turn, first, width.min(columns - column), width, to);
        }
        return;
    }
    for t in 0..terms {
        let row = &right.values[(start as isize + t as isize * right.stride) as usize..];
        for column in (0..columns).step_by(width) {
            let from = &row[column..];
            let to = &mut to[column * terms + t * width..][..width];
            if from.len() >= width {
                // Whole vectors, whatever is beyond the row.
                let (to, from) = (T::vectors_mut::<S>(to), T::vectors::<S>(from));
                to[..VECTORS].copy_from_slice(&from[..VECTORS]);
            } else {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// Copies columns into the start of rows of `width`, by squares.
#[inline(always)]
fn turn_columns<'a, T: Real>(
    turn: Turn,
    column: impl Fn(usize) -> &'a [T],
    columns: usize,
    width: usize,
    to: &mut [T],
) {
    let terms = to.len() / width;
    if columns < SIDE || terms < SIDE {
        for j in 0..columns {
            for (to, from) in to.chunks_exact_mut(width).zip(column(j)) {
                to[j] = *from;
            }
        }
        return;
    }
    let nothing = [T::ZERO; SIDE];
    // The last squares end with the columns.
    for left in (0..columns).step_by(SIDE) {
        let left = left.min(columns - SIDE);
        let mut from: [&[T]; SIDE] = [&[]; SIDE];
        for (j, from) in from.iter_mut().enumerate() {
            *from = &column(left + j)[..terms];
        }
        for top in (0..terms).step_by(SIDE) {
            let top = top.min(terms - SIDE);
            let mut square = [&nothing; SIDE];
            for (part, column) in square.iter_mut().zip(from) {
                *part = &column[top..].as_chunks().0[0];
            }
            let rows = to[top * width + left..].chunks_mut(width);
            for (to, row) in rows.zip(T::turned(turn, square)) {
                to[..SIDE].copy_from_slice(&row);
            }
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
