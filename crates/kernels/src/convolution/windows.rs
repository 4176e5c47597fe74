//! Windows of an image as the rows of a matrix, and back.
//!
//! An image is held padded and with its channels last, so that the pixels of a window's row, with all
//! their channels, are contiguous.

use super::geometry::Geometry;
use super::product::row_stride;
use crate::element::Real;
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// Numbers that are copied at once; what is copied beyond a run is overwritten or not read.
const CHUNK: usize = 8;
/// Numbers that are worth the call of a function that copies them.
const LONG: usize = 32;
/// Bytes of a block of windows: room is left for the rest in a core's own cache.
const BLOCK: usize = 1 << 17;

/// An image with padding, channels last, and a block of its windows.
pub(super) struct Windows<T> {
    geometry: Geometry,
    padded: Vec<T>,
    /// The image without padding, channels last.
    bare: Vec<T>,
    /// Starts of a window's runs in the padded image, from the window's first number.
    runs: Vec<usize>,
    /// Numbers of a run.
    run: usize,
    /// The block: windows in rows.
    pub rows: Vec<T>,
    /// The length of the block's rows.
    pub stride: usize,
    /// Windows of a block, at most.
    pub block: usize,
}

impl<T: Real> Windows<T> {
    /// Buffers for the images of a convolution.
    pub fn new(geometry: Geometry) -> Self {
        let Geometry { channels_in, kernel, dilation, .. } = geometry;
        let [height, width] = geometry.padded();
        // A kernel's row is one run, unless it skips pixels.
        let columns = if dilation[1] == 1 { 1 } else { kernel[1] };
        let start = |row, column| (row * dilation[0] * width + column * dilation[1]) * channels_in;
        let starts = |row| (0..columns).map(move |column| start(row, column));
        let stride = row_stride(geometry.window());
        let most = (BLOCK / (stride * size_of::<T>())).clamp(16, 512);
        let blocks = geometry.pixels_out().div_ceil(most).max(1);
        let block = geometry.pixels_out().div_ceil(blocks);
        Self {
            geometry,
            padded: vec![T::ZERO; height * width * channels_in + CHUNK],
            bare: vec![T::ZERO; geometry.pixels_in() * channels_in],
            runs: (0..kernel[0]).flat_map(starts).collect(),
            run: kernel[1] / columns * channels_in,
            rows: vec![T::ZERO; block * stride + CHUNK],
            stride,
            block,
        }
    }

    /// The blocks of an image's windows.
    pub fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let (pixels, block) = (self.geometry.pixels_out(), self.block);
        (0..pixels).step_by(block.max(1)).map(move |from| from..pixels.min(from + block))
    }

    /// Takes in an image, channels first and `channel_stride` apart.
    pub fn read(&mut self, image: &[T], channel_stride: usize) {
        let Geometry { channels_in, input, .. } = self.geometry;
        let pixels = self.geometry.pixels_in();
        transpose(image, channel_stride, [channels_in, pixels], &mut self.bare, channels_in);
        let row = input[1] * channels_in;
        for y in 0..input[0] {
            let at = inner(&self.geometry, y);
            self.padded[at..][..row].copy_from_slice(&self.bare[y * row..][..row]);
        }
    }

    /// The image without its padding, channels first; the padded image is cleared.
    pub fn write(&mut self, image: &mut [T]) {
        let Geometry { channels_in, input, .. } = self.geometry;
        let pixels = self.geometry.pixels_in();
        let row = input[1] * channels_in;
        for y in 0..input[0] {
            let at = inner(&self.geometry, y);
            self.bare[y * row..][..row].copy_from_slice(&self.padded[at..][..row]);
        }
        transpose(&self.bare, channels_in, [pixels, channels_in], image, pixels);
        self.padded.fill(T::ZERO);
    }

    /// Copies windows of the image into the block.
    pub fn unfold(&mut self, pixels: Range<usize>) {
        let corners = corners(self.geometry, pixels);
        let Self { padded, runs, run, rows, stride, .. } = self;
        Arch::new().dispatch(Unfold { corners, padded, runs, run: *run, rows, stride: *stride });
    }

    /// Adds the block to windows of the image.
    pub fn fold(&mut self, pixels: Range<usize>) {
        let corners = corners(self.geometry, pixels);
        let Self { padded, runs, run, rows, stride, .. } = self;
        Arch::new().dispatch(Fold { corners, padded, runs, run: *run, rows, stride: *stride });
    }
}

/// Copies windows from an image to rows.
struct Unfold<'a, C, T> {
    corners: C,
    padded: &'a [T],
    runs: &'a [usize],
    run: usize,
    rows: &'a mut [T],
    stride: usize,
}

impl<C: Iterator<Item = usize>, T: Real> WithSimd for Unfold<'_, C, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { padded, runs, run, rows, .. } = self;
        for (i, corner) in self.corners.enumerate() {
            let mut to = i * self.stride;
            for start in runs {
                let from = corner + start;
                if run <= CHUNK {
                    rows[to..][..CHUNK].copy_from_slice(&padded[from..][..CHUNK]);
                } else if run > LONG {
                    rows[to..][..run].copy_from_slice(&padded[from..][..run]);
                } else {
                    for at in (0..run).step_by(CHUNK) {
                        rows[to + at..][..CHUNK].copy_from_slice(&padded[from + at..][..CHUNK]);
                    }
                }
                to += run;
            }
        }
    }
}

/// Adds rows to windows of an image.
struct Fold<'a, C, T> {
    corners: C,
    padded: &'a mut [T],
    runs: &'a [usize],
    run: usize,
    rows: &'a [T],
    stride: usize,
}

impl<C: Iterator<Item = usize>, T: Real> WithSimd for Fold<'_, C, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { padded, runs, run, rows, .. } = self;
        for (i, corner) in self.corners.enumerate() {
            let mut from = i * self.stride;
            for start in runs {
                let sums = &mut padded[corner + start..][..run];
                sums.iter_mut().zip(&rows[from..][..run]).for_each(|(sum, term)| *sum += *term);
                from += run;
            }
        }
    }
}

/// Where the padded image holds row `y` of the image.
fn inner(geometry: &Geometry, y: usize) -> usize {
    let [above, left] = geometry.padding;
    ((y + above) * geometry.padded()[1] + left) * geometry.channels_in
}

/// Where the padded image holds the first numbers of these windows.
fn corners(geometry: Geometry, pixels: Range<usize>) -> impl Iterator<Item = usize> {
    let Geometry { channels_in, output: [_, width], stride, .. } = geometry;
    let row_step = stride[0] * geometry.padded()[1] * channels_in;
    let step = stride[1] * channels_in;
    let [mut row, mut column] = [pixels.start / width, pixels.start % width];
    pixels.map(
        #[inline(always)]
        move |_| {
            let corner = row * row_step + column * step;
            column += 1;
            if column == width {
                [row, column] = [row + 1, 0];
            }
            corner
        },
    )
}

/// Copies a matrix of this many rows and columns, transposed; the strides are of rows.
pub(super) fn transpose<T: Real>(
    from: &[T],
    from_stride: usize,
    [rows, columns]: [usize; 2],
    to: &mut [T],
    to_stride: usize,
) {
    Arch::new().dispatch(Transpose { from, from_stride, rows, columns, to, to_stride });
}

struct Transpose<'a, T> {
    from: &'a [T],
    from_stride: usize,
    rows: usize,
    columns: usize,
    to: &'a mut [T],
    to_stride: usize,
}

impl<T: Real> Transpose<'_, T> {
    /// The square at a row and a column.
    #[inline(always)]
    fn square(&mut self, row: usize, column: usize) {
        let from: [&[T]; SIDE] =
            std::array::from_fn(|i| &self.from[(row + i) * self.from_stride + column..][..SIDE]);
        for j in 0..SIDE {
            let to = &mut self.to[(column + j) * self.to_stride + row..][..SIDE];
            to.iter_mut().zip(&from).for_each(|(to, from)| *to = from[j]);
        }
    }
}

/// Side of the squares that a matrix is transposed by.
const SIDE: usize = 8;

impl<T: Real> WithSimd for Transpose<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        if self.rows.min(self.columns) < SIDE {
            for i in 0..self.rows {
                for j in 0..self.columns {
                    self.to[j * self.to_stride + i] = self.from[i * self.from_stride + j];
                }
            }
            return;
        }
        // The last squares end with the matrix.
        for row in (0..self.rows).step_by(SIDE) {
            for column in (0..self.columns).step_by(SIDE) {
                self.square(row.min(self.rows - SIDE), column.min(self.columns - SIDE));
            }
        }
    }
}
