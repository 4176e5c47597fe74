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
    use pulp::{Simd, WithSimd, cast};
    use std::arch::x86_64::{__m256, __m256d};

    use super::{Axes, Matrix, Number, Turn};

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
            let avx = self.0.avx;
            let r: [__m256; 8] = tile.map(cast);
            // Pairs, then fours, then eights of rows, each within half a row at first.
            let low = |i: usize| avx._mm256_unpacklo_ps(r[i], r[i + 1]);
            let high = |i: usize| avx._mm256_unpackhi_ps(r[i], r[i + 1]);
            let (l0, l2, l4, l6) = (low(0), low(2), low(4), low(6));
            let (h0, h2, h4, h6) = (high(0), high(2), high(4), high(6));
            let firsts = |x, y| avx._mm256_shuffle_ps::<0x44>(x, y);
            let lasts = |x, y| avx._mm256_shuffle_ps::<0xEE>(x, y);
            let upper = [firsts(l0, l2), lasts(l0, l2), firsts(h0, h2), lasts(h0, h2)];
            let lower = [firsts(l4, l6), lasts(l4, l6), firsts(h4, h6), lasts(h4, h6)];
            let left = |i: usize| cast(avx._mm256_permute2f128_ps::<0x20>(upper[i], lower[i]));
            let right = |i: usize| cast(avx._mm256_permute2f128_ps::<0x31>(upper[i], lower[i]));
            [left(0), left(1), left(2), left(3), right(0), right(1), right(2), right(3)]
        }
    }

    /// Tiles of four rows of four numbers.
    pub(super) struct Turn4(pub(super) V3);

    impl Turn<f64, 4> for Turn4 {
        #[inline(always)]
        fn turn(&self, tile: [[f64; 4]; 4]) -> [[f64; 4]; 4] {
            let avx = self.0.avx;
            let r: [__m256d; 4] = tile.map(cast);
            let low = |i: usize| avx._mm256_unpacklo_pd(r[i], r[i + 1]);
            let high = |i: usize| avx._mm256_unpackhi_pd(r[i], r[i + 1]);
            let (l0, l2, h0, h2) = (low(0), low(2), high(0), high(2));
            let left = |x, y| cast(avx._mm256_permute2f128_pd::<0x20>(x, y));
            let right = |x, y| cast(avx._mm256_permute2f128_pd::<0x31>(x, y));
            [left(l0, l2), left(h0, h2), right(l0, l2), right(h0, h2)]
        }
    }
}
