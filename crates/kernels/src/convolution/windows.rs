//! Windows of an image as the rows of a matrix, and back.
//!
//! An image is held padded and with its channels last, so that the pixels of a window's row, with all
//! their channels, are contiguous.

use super::geometry::Geometry;
use super::product::row_stride;
use super::real::Real;
use pulp::Arch;
use std::ops::Range;

/// Numbers that are copied at once; what is copied beyond a run is overwritten or not read.
const CHUNK: usize = 8;
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
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (i, pixel) in pixels.enumerate() {
                    let from = corner(&self.geometry, pixel);
                    let mut to = i * self.stride;
                    for start in &self.runs {
                        let run = &self.padded[from + start..];
                        for at in (0..self.run).step_by(CHUNK) {
                            self.rows[to + at..][..CHUNK].copy_from_slice(&run[at..][..CHUNK]);
                        }
                        to += self.run;
                    }
                }
            },
        );
    }

    /// Adds the block to windows of the image.
    pub fn fold(&mut self, pixels: Range<usize>) {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (i, pixel) in pixels.enumerate() {
                    let to = corner(&self.geometry, pixel);
                    let mut from = i * self.stride;
                    for start in &self.runs {
                        let run = &mut self.padded[to + start..][..self.run];
                        for (sum, term) in run.iter_mut().zip(&self.rows[from..][..self.run]) {
                            *sum += *term;
                        }
                        from += self.run;
                    }
                }
            },
        );
    }
}

/// Where the padded image holds row `y` of the image.
fn inner(geometry: &Geometry, y: usize) -> usize {
    let [above, left] = geometry.padding;
    ((y + above) * geometry.padded()[1] + left) * geometry.channels_in
}

/// Where the padded image holds the first number of a window.
fn corner(geometry: &Geometry, pixel: usize) -> usize {
    let [y, x] = [pixel / geometry.output[1], pixel % geometry.output[1]];
    let row = y * geometry.stride[0] * geometry.padded()[1];
    (row + x * geometry.stride[1]) * geometry.channels_in
}

/// Copies a matrix of this many rows and columns, transposed; the strides are of rows.
pub(super) fn transpose<T: Real>(
    from: &[T],
    from_stride: usize,
    [rows, columns]: [usize; 2],
    to: &mut [T],
    to_stride: usize,
) {
    const SIDE: usize = 8;
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in (0..rows).step_by(SIDE) {
                for column in (0..columns).step_by(SIDE) {
                    let from = &from[row * from_stride + column..];
                    let to = &mut to[column * to_stride + row..];
                    if rows - row >= SIDE && columns - column >= SIDE {
                        let square: [[T; SIDE]; SIDE] = std::array::from_fn(|i| {
                            std::array::from_fn(|j| from[i * from_stride..][..SIDE][j])
                        });
                        for j in 0..SIDE {
                            let line: [T; SIDE] = std::array::from_fn(|i| square[i][j]);
                            to[j * to_stride..][..SIDE].copy_from_slice(&line);
                        }
                    } else {
                        for i in 0..SIDE.min(rows - row) {
                            for j in 0..SIDE.min(columns - column) {
                                to[j * to_stride + i] = from[i * from_stride + j];
                            }
                        }
                    }
                }
            }
        },
    );
}
