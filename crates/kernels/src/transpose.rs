//! Copies of matrices by tiles, each of which is turned over in registers.

use std::array::from_fn;

use crate::element::{Number, vectorized};
use crate::strides::Axes;

/// A matrix whose columns are without gaps, to be copied to one whose rows are.
#[derive(Clone, Copy)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) column_stride: isize,
    pub(crate) row_stride_in_copy: usize,
}

/// Copies matrices that the axes walk over, with their strides in the source and in the copy.
pub(crate) fn transpose<T: Number>(
    source: &[T],
    start: usize,
    copy: &mut [T],
    matrix: Matrix,
    axes: Axes<2>,
) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        match size_of::<T>() {
            4 => {
                let source = bytemuck::cast_slice::<T, f32>(source);
                let copy = bytemuck::cast_slice_mut::<T, f32>(copy);
                let turn = x86::Turn8(simd);
                let kernel = x86::Copy { source, start, copy, matrix, axes, turn };
                return pulp::Simd::vectorize(simd, kernel);
            }
            8 => {
                let source = bytemuck::cast_slice::<T, f64>(source);
                let copy = bytemuck::cast_slice_mut::<T, f64>(copy);
                let turn = x86::Turn4(simd);
                let kernel = x86::Copy { source, start, copy, matrix, axes, turn };
                return pulp::Simd::vectorize(simd, kernel);
            }
            _ => {}
        }
    }
    vectorized(
        #[inline(always)]
        move || {
            for [from, to] in axes.offsets([start, 0]) {
                matrix.copy(source, from, &mut copy[to..], &Plain);
            }
        },
    );
}

/// How a tile is turned over.
trait Turn<T, const N: usize> {
    fn turn(&self, tile: [[T; N]; N]) -> [[T; N]; N];
}

struct Plain;

impl<T: Number> Turn<T, 8> for Plain {
    #[inline(always)]
    fn turn(&self, tile: [[T; 8]; 8]) -> [[T; 8]; 8] {
        from_fn(|i| from_fn(|j| tile[j][i]))
    }
}

impl Matrix {
    #[inline(always)]
    fn copy<T: Number, const N: usize>(
        &self,
        source: &[T],
        start: usize,
        copy: &mut [T],
        turn: &impl Turn<T, N>,
    ) {
        // So many columns at a time that what is read beside them is still in the nearest cache when
        // it is needed.
        const BLOCK: usize = 64;
        for left in (0..self.columns).step_by(BLOCK) {
            let right = self.columns.min(left + BLOCK);
            for top in (0..self.rows).step_by(N) {
                let rows = N.min(self.rows - top);
                for left in (left..right).step_by(N) {
                    let columns = N.min(right - left);
                    let column = |column: usize| {
                        (start as isize + (left + column) as isize * self.column_stride) as usize
                            + top
                    };
                    let to = top * self.row_stride_in_copy + left;
                    if rows == N && columns == N {
                        let mut tile = [[T::zeroed(); N]; N];
                        for (i, of_tile) in tile.iter_mut().enumerate() {
                            of_tile.copy_from_slice(&source[column(i)..column(i) + N]);
                        }
                        for (i, row) in turn.turn(tile).iter().enumerate() {
                            let to = to + i * self.row_stride_in_copy;
                            copy[to..to + N].copy_from_slice(row);
                        }
                    } else {
                        for i in 0..rows {
                            let to = to + i * self.row_stride_in_copy;
                            for (j, value) in copy[to..to + columns].iter_mut().enumerate() {
                                *value = source[column(j) + i];
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use pulp::x86::V3;
    use pulp::{Simd, WithSimd};

    use super::{Axes, Matrix, Number, Turn};
    use crate::turn::x86::{turned_eight, turned_four};

    pub(super) struct Copy<'a, T, U> {
        pub(super) source: &'a [T],
        pub(super) start: usize,
        pub(super) copy: &'a mut [T],
        pub(super) matrix: Matrix,
        pub(super) axes: Axes<2>,
        pub(super) turn: U,
    }

    impl WithSimd for Copy<'_, f32, Turn8> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            self.run();
        }
    }

    impl WithSimd for Copy<'_, f64, Turn4> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            self.run();
        }
    }

    impl<T: Number, U> Copy<'_, T, U> {
        #[inline(always)]
        fn run<const N: usize>(self)
        where
            U: Turn<T, N>,
        {
            for [from, to] in self.axes.offsets([self.start, 0]) {
                self.matrix.copy(self.source, from, &mut self.copy[to..], &self.turn);
            }
        }
    }

    /// Tiles of eight rows of eight numbers.
    pub(super) struct Turn8(pub(super) V3);

    impl Turn<f32, 8> for Turn8 {
        #[inline(always)]
        fn turn(&self, tile: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
            turned_eight(self.0, tile)
        }
    }

    /// Tiles of four rows of four numbers.
    pub(super) struct Turn4(pub(super) V3);

    impl Turn<f64, 4> for Turn4 {
        #[inline(always)]
        fn turn(&self, tile: [[f64; 4]; 4]) -> [[f64; 4]; 4] {
            turned_four(self.0, tile)
        }
    }
}
