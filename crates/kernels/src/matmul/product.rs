//! Products of matrices that are somewhere in tensors' buffers.

use pulp::{Simd, WithSimd};

use super::pack::{pack_left, pack_right};
use crate::strides::Offsets;
use crate::tile::{Left, ROWS, VECTORS, accumulate, height, load};
use crate::vectors::Vectors;

/// Most terms that are summed in registers at once, so that a panel of the second factor stays in the
/// cache next to the processor.
pub const TERMS: usize = 256;
/// Bytes of the buffers for copies of parts of a factor.
pub(super) const PACKED: usize = 256 << 10;
/// The most numbers in [`VECTORS`] vectors of any processor.
const ROOM: usize = 32;

/// One of the factors: rows without gaps that start `stride` apart, or columns if `transposed`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    pub values: &'a [T],
    pub stride: isize,
    pub transposed: bool,
}

/// Products of matrices of the same sizes and strides.
pub(super) struct Products<'a, T> {
    /// `[m, k]`
    pub left: Matrix<'a, T>,
    /// `[k, n]`
    pub right: Matrix<'a, T>,
    /// `[m, n]`, in order.
    pub out: &'a mut [T],
    /// m, k and n.
    pub sizes: [usize; 3],
    /// Where the matrices of each product start.
    pub offsets: Offsets<3>,
    /// Whether the products are added to what `out` holds.
    pub add: bool,
    /// For copies of parts of the factors, of [`PACKED`] bytes.
    pub packed: [&'a mut [T]; 2],
}

impl<T: Vectors> WithSimd for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            left,
            right,
            out,
            sizes: [m, k, n],
            offsets,
            add,
            packed: [room_left, room_right],
        } = self;
        let width = VECTORS * T::lanes::<S>();
        // Blocks depend on k alone, and with them the order of the sums.
        let block = k.div_ceil(k.div_ceil(tune(6)));
        let room = PACKED / size_of::<T>() / block;
        let pack_lefts = if left.transposed {
            left.stride.unsigned_abs() * size_of::<T>() >= tune(0) && n > tune(1) * width
        } else {
            k > block && n > tune(2) * width
        };
        // Of the second factor, what is whole vectors may be read where it is.
        let rows_fit = right.stride as usize * block * size_of::<T>() <= tune(4);
        let in_place =
            !right.transposed && right.stride >= n as isize && (m <= tune(3) || rows_fit);
        let direct = if in_place { n - n % width } else { 0 };
        let rows_at_once = (room.min(tune(5)) / 12 * 12).max(12);
        let columns_at_once = if m > rows_at_once {
            room / width * width
        } else if right.transposed {
            (tune(8) * width).min(room / width * width)
        } else {
            (tune(7) * width).min(room / width * width)
        };
        // Which parts the buffers hold.
        let mut packed = [None, None];
        for [l, r, o] in offsets {
            for first in (0..k).step_by(block) {
                let terms = block.min(k - first);
                for column in (0..n).step_by(columns_at_once) {
                    let columns = columns_at_once.min(n - column);
                    let direct = direct.clamp(column, column + columns) - column;
                    let part = Some([r, first, column]);
                    if direct < columns && packed[1] != part {
                        packed[1] = part;
                        let start = right.at(r, first, column + direct);
                        pack_right::<T, S>(
                            right,
                            start,
                            [terms, columns - direct],
                            width,
                            room_right,
                        );
                    }
                    for row in (0..m).step_by(rows_at_once) {
                        let rows = rows_at_once.min(m - row);
                        let start = left.at(l, row, first);
                        let left = if pack_lefts {
                            let part = Some([l, row, first]);
                            if packed[0] != part {
                                packed[0] = part;
                                pack_left(left, start, [rows, terms], room_left);
                            }
                            if left.transposed {
                                Rows::Packed(room_left)
                            } else {
                                Rows::InPlace(Left::rows(room_left, terms))
                            }
                        } else if left.transposed {
                            Rows::InPlace(Left::Columns(left.values, start, left.stride))
                        } else {
                            Rows::InPlace(Left::Rows(left.values, start, left.stride))
                        };
                        let mut at = 0;
                        while at < columns {
                            let right = if at < direct {
                                let start = right.at(r, first, column + at);
                                Right::InPlace(&right.values[start..], right.stride as usize)
                            } else {
                                Right::Packed(&room_right[(at - direct) * terms..])
                            };
                            let out = &mut out[o + row * n + column + at..];
                            let used = width.min(columns - at);
                            let stripe = Stripe {
                                left,
                                right,
                                terms,
                                rows,
                                out,
                                out_stride: n,
                                used,
                                add: add || first > 0,
                            };
                            if 2 * used > width {
                                stripe.evaluate::<S, VECTORS>(simd);
                            } else {
                                stripe.evaluate::<S, 1>(simd);
                            }
                            at += width;
                        }
                    }
                }
            }
        }
    }
}

#[inline(never)]
pub(super) fn tune(i: usize) -> usize {
    use std::sync::LazyLock;
    static TUNE: LazyLock<Vec<usize>> = LazyLock::new(|| {
        let default = "512,4,4,32,65536,256,256,4,1,0";
        let given = std::env::var("TUNE").unwrap_or_default();
        let mut v: Vec<usize> = default.split(',').map(|x| x.parse().unwrap()).collect();
        for pair in given.split(',').filter(|x| !x.is_empty()) {
            let (a, b) = pair.split_once('=').unwrap();
            v[a.parse::<usize>().unwrap()] = b.parse().unwrap();
        }
        v
    });
    TUNE[i]
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

/// Rows of the first factor.
#[derive(Clone, Copy)]
enum Rows<'a, T> {
    InPlace(Left<'a, T>),
    /// Tile after tile.
    Packed(&'a [T]),
}

/// A panel of the second factor.
#[derive(Clone, Copy)]
enum Right<'a, T> {
    /// Rows that start this far apart.
    InPlace(&'a [T], usize),
    /// Rows of [`VECTORS`] vectors.
    Packed(&'a [T]),
}

/// The product of rows with a panel of the second factor.
struct Stripe<'a, T> {
    left: Rows<'a, T>,
    right: Right<'a, T>,
    terms: usize,
    rows: usize,
    out: &'a mut [T],
    out_stride: usize,
    /// Columns of the panel that are part of the product.
    used: usize,
    add: bool,
}

impl<T: Vectors> Stripe<'_, T> {
    #[inline(always)]
    fn evaluate<S: Simd, const V: usize>(mut self, simd: S) {
        let mut row = 0;
        while row < self.rows {
            let height = height(self.rows - row);
            match height {
                1 => self.tile::<S, 1, V>(simd, row),
                2 => self.tile::<S, 2, V>(simd, row),
                4 => self.tile::<S, 4, V>(simd, row),
                _ => self.tile::<S, ROWS, V>(simd, row),
            }
            row += height;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize>(&mut self, simd: S, row: usize) {
        let lanes = T::lanes::<S>();
        let (left, first) = match self.left {
            Rows::InPlace(left) => (left, row),
            Rows::Packed(values) => (Left::Columns(values, row * self.terms, M as isize), 0),
        };
        let sums = [[T::splat(simd, T::ZERO); V]; M];
        let sums = match self.right {
            Right::Packed(values) => {
                let rows = T::vectors::<S>(values).as_chunks::<VECTORS>().0;
                let rows = rows.iter().map(
                    #[inline(always)]
                    |row| {
                        let mut vectors = [row[0]; V];
                        vectors.copy_from_slice(&row[..V]);
                        vectors
                    },
                );
                accumulate(simd, sums, left, first, self.terms, rows)
            }
            Right::InPlace(values, stride) => {
                let rows = values.chunks(stride).map(
                    #[inline(always)]
                    |row| load::<T, S, V>(row),
                );
                accumulate(simd, sums, left, first, self.terms, rows)
            }
        };
        let (n, used) = (self.out_stride, self.used);
        let out = &mut self.out[row * n..][..(M - 1) * n + used];
        if used == V * lanes {
            for i in 0..M {
                let out = T::vectors_mut::<S>(&mut out[i * n..][..V * lanes]);
                for v in 0..V {
                    out[v] = if self.add { T::sum(simd, out[v], sums[i][v]) } else { sums[i][v] };
                }
            }
        } else {
            for (i, sums) in sums.into_iter().enumerate() {
                store_part(simd, sums, &mut out[i * n..][..used], self.add);
            }
        }
    }
}

/// Writes or adds the first sums of a row to a slice shorter than the row.
#[inline(always)]
fn store_part<T: Vectors, S: Simd, const V: usize>(
    simd: S,
    sums: [T::Vector<S>; V],
    out: &mut [T],
    add: bool,
) {
    let mut row = [T::ZERO; ROOM];
    T::vectors_mut::<S>(&mut row)[..V].copy_from_slice(&sums);
    let (lanes, used) = (T::lanes::<S>(), out.len());
    if used < lanes {
        for (out, sum) in out.iter_mut().zip(row) {
            *out = if add { *out + sum } else { sum };
        }
        return;
    }
    // Two vectors that may overlap.
    let mut ends = [0, used - lanes].map(|at| T::vectors::<S>(&row[at..at + lanes])[0]);
    if add {
        ends[0] = T::sum(simd, ends[0], T::vectors::<S>(&out[..lanes])[0]);
        ends[1] = T::sum(simd, ends[1], T::vectors::<S>(&out[used - lanes..])[0]);
    }
    T::vectors_mut::<S>(&mut out[..lanes])[0] = ends[0];
    T::vectors_mut::<S>(&mut out[used - lanes..])[0] = ends[1];
}
