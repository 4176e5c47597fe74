//! Products of matrices that are somewhere in tensors' buffers.

use pulp::{Simd, WithSimd};

use super::pack::{pack_left, pack_right};
use super::stripe::{LeftPart, RightPart, Stripe};
use crate::element::Real;
use crate::strides::Offsets;
use crate::tile::{Left, ROWS, VECTORS};

/// Most terms of a block, whose sums stay in registers: a panel of the second factor with so many stays
/// in the cache next to the processor.
const TERMS: usize = 256;
/// Bytes of the buffers for copies of parts of a factor: both stay in a core's own cache.
pub(super) const PACKED: usize = 256 << 10;
/// Rows of the first factor up to which the second is read where it is, as copies would be used a few
/// times only; and those up to which it is where its rows are within [`NEAR`] bytes.
const FEW: [usize; 2] = [16, 64];
const NEAR: usize = 16 << 10;
/// Bytes between the first factor's columns from which on a tile's are copied next to one another.
const FAR: usize = 512;
/// Panels of the second factor from which on copies of the first are worth it.
const MANY: usize = 5;

/// One of the factors: rows without gaps that start `stride` apart, or columns if `transposed`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    pub values: &'a [T],
    pub stride: isize,
    pub transposed: bool,
}

impl<'a, T> Matrix<'a, T> {
    /// A matrix with these strides and this shape, which has no gaps along rows or columns.
    pub fn new(values: &'a [T], strides: [isize; 2], [rows, columns]: [usize; 2]) -> Self {
        let transposed = match strides {
            [_, 1] => false,
            [1, _] => true,
            _ => columns > 1 && rows == 1,
        };
        Self { values, stride: strides[usize::from(transposed)], transposed }
    }

    /// Where the element at a row and a column of the matrix at `start` is.
    #[inline(always)]
    fn at(&self, start: usize, row: usize, column: usize) -> usize {
        let [outer, inner] = if self.transposed { [column, row] } else { [row, column] };
        ((start + inner) as isize + outer as isize * self.stride) as usize
    }
}

/// Products of matrices of the same sizes and strides.
pub(super) struct Products<'a, T> {
    /// `[m, k]`
    pub left: Matrix<'a, T>,
    /// `[k, n]`
    pub right: Matrix<'a, T>,
    /// `[m, n]`, in order.
    pub out: &'a mut [T],
    /// m, k and n, none of them 0.
    pub sizes: [usize; 3],
    /// Where the matrices of each product start.
    pub offsets: Offsets<3>,
    /// Whether the products are added to what `out` holds.
    pub add: bool,
    /// For copies of parts of the factors, each of [`PACKED`] bytes.
    pub packed: [&'a mut [T]; 2],
}

/// What is done at once, and what is copied for it.
struct Plan {
    /// Rows, terms and columns of a block. The terms depend on k alone, and with them the order of sums.
    block: [usize; 3],
    /// Whether blocks of the first factor are copied.
    pack_left: bool,
    /// Columns of the second factor that are read where they are, the others being copied.
    in_place: usize,
}

impl Plan {
    #[inline(always)]
    fn new<T: Real>(products: &Products<'_, T>, width: usize) -> Self {
        let Products { left, right, sizes: [m, k, n], .. } = products;
        let terms = k.div_ceil(k.div_ceil(TERMS));
        let room = PACKED / size_of::<T>() / terms;
        let rows = if *m <= room.min(TERMS) {
            *m
        } else if left.transposed {
            // Few tiles would each be read from all of the columns.
            room.min(TERMS) / (2 * ROWS) * (2 * ROWS)
        } else {
            4 * ROWS
        };
        let columns = if *m > rows {
            room / width * width
        } else if right.transposed {
            width
        } else {
            // Longer pieces of rows.
            4 * width
        };
        let apart = left.stride.unsigned_abs() * size_of::<T>() >= FAR;
        let near = right.stride.unsigned_abs() * terms * size_of::<T>() <= NEAR;
        let few = *m <= FEW[usize::from(near)];
        let in_place = !right.transposed && right.stride >= *n as isize && few;
        Self {
            block: [rows, terms, columns],
            pack_left: n.div_ceil(width) >= MANY
                && if left.transposed { apart } else { terms < *k },
            in_place: if in_place { n - n % width } else { 0 },
        }
    }
}

impl<T: Real> WithSimd for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = VECTORS * T::lanes::<S>();
        let plan = Plan::new(&self, width);
        let Self { left, right, out, sizes: [m, k, n], offsets, add, packed } = self;
        let [left_packed, right_packed] = packed;
        let [rows_at_once, terms_at_once, columns_at_once] = plan.block;
        // Which parts the buffers hold.
        let mut held = [None, None];
        for [l, r, o] in offsets {
            for first in (0..k).step_by(terms_at_once) {
                let terms = terms_at_once.min(k - first);
                for column in (0..n).step_by(columns_at_once) {
                    let columns = columns_at_once.min(n - column);
                    let in_place = plan.in_place.clamp(column, column + columns) - column;
                    let part = Some([r, first, column]);
                    if in_place < columns && held[1] != part {
                        held[1] = part;
                        let start = right.at(r, first, column + in_place);
                        let shape = [terms, columns - in_place];
                        pack_right::<T, S>(right, start, shape, width, right_packed);
                    }
                    for row in (0..m).step_by(rows_at_once) {
                        let rows = rows_at_once.min(m - row);
                        let start = left.at(l, row, first);
                        let part = Some([l, row, first]);
                        if plan.pack_left && held[0] != part {
                            held[0] = part;
                            pack_left(left, start, [rows, terms], left_packed);
                        }
                        let left = match (plan.pack_left, left.transposed) {
                            (true, true) => LeftPart::Tiles(left_packed),
                            (true, false) => LeftPart::InPlace(Left::rows(left_packed, terms)),
                            (false, true) => {
                                LeftPart::InPlace(Left::Columns(left.values, start, left.stride))
                            }
                            (false, false) => {
                                LeftPart::InPlace(Left::Rows(left.values, start, left.stride))
                            }
                        };
                        for at in (0..columns).step_by(width) {
                            let right = if at < in_place {
                                let start = right.at(r, first, column + at);
                                RightPart::InPlace(&right.values[start..], right.stride as usize)
                            } else {
                                RightPart::Packed(&right_packed[(at - in_place) * terms..])
                            };
                            let used = width.min(columns - at);
                            let out = &mut out[o + row * n + column + at..];
                            let add = add || first > 0;
                            if 2 * used > width {
                                simd.vectorize(Stripe::<T, VECTORS> {
                                    left,
                                    right,
                                    terms,
                                    rows,
                                    out,
                                    out_stride: n,
                                    used,
                                    add,
                                });
                            } else {
                                simd.vectorize(Stripe::<T, 1> {
                                    left,
                                    right,
                                    terms,
                                    rows,
                                    out,
                                    out_stride: n,
                                    used,
                                    add,
                                });
                            }
                        }
                    }
                }
            }
        }
    }
}
