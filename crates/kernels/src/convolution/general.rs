//! Convolutions of any stride, padding and dilation: products with the input's windows.

use super::geometry::{Geometry, Images};
use super::product::{Product, row_stride};
use super::windows::{Windows, transpose};
use crate::element::Real;
use crate::tile::Left;
use pulp::{Arch, Simd, WithSimd};

/// The convolution's output, `[images, channels_out, height, width]`.
pub(super) fn output<T: Real>(
    geometry: Geometry,
    x: Images<'_, T>,
    weight: Images<'_, T>,
    bias: Option<&[T]>,
) -> Vec<T> {
    let Geometry { images, channels_out, .. } = geometry;
    let pixels = geometry.pixels_out();
    let mut output = vec![T::ZERO; images * channels_out * pixels];
    let mut windows = Windows::new(geometry);
    let weight = windowed(geometry, weight);
    // In columns.
    let stride = row_stride(channels_out);
    let column_rows = rows(geometry.window(), stride);
    let mut columns = vec![T::ZERO; geometry.window() * stride];
    let shape = [channels_out, geometry.window()];
    transpose(&weight, row_stride(geometry.window()), shape, &mut columns, stride);
    let mut block = vec![T::ZERO; windows.block * stride];
    for index in 0..images {
        let output = &mut output[index * channels_out * pixels..][..channels_out * pixels];
        let (image, channel_stride) = x.image(index);
        windows.read(image, channel_stride);
        for range in windows.blocks() {
            windows.unfold(range.clone());
            Product {
                a: Left::rows(&windows.rows, windows.stride),
                b: &columns,
                b_rows: &column_rows,
                c: &mut block,
                c_stride: stride,
                rows: range.len(),
                columns: channels_out,
                add: false,
            }
            .evaluate();
            let shape = [range.len(), channels_out];
            transpose(&block, stride, shape, &mut output[range.start..], pixels);
        }
        if let Some(bias) = bias {
            for (plane, bias) in output.chunks_exact_mut(pixels).zip(bias) {
                plane.iter_mut().for_each(|value| *value += *bias);
            }
        }
    }
    output
}

/// The gradient by the input, of its shape.
pub(super) fn input_gradient<T: Real>(
    geometry: Geometry,
    weight: Images<'_, T>,
    output_gradient: Images<'_, T>,
) -> Vec<T> {
    let Geometry { images, channels_in, channels_out, .. } = geometry;
    let len = channels_in * geometry.pixels_in();
    let mut gradient = vec![T::ZERO; images * len];
    let mut windows = Windows::new(geometry);
    let weight_rows = rows(channels_out, windows.stride);
    let weight = windowed(geometry, weight);
    for index in 0..images {
        let (image, channel_stride) = output_gradient.image(index);
        for range in windows.blocks() {
            Product {
                a: Left::columns(&image[range.start..], channel_stride),
                b: &weight,
                b_rows: &weight_rows,
                c: &mut windows.rows,
                c_stride: windows.stride,
                rows: range.len(),
                columns: geometry.window(),
                add: false,
            }
            .evaluate();
            windows.fold(range);
        }
        windows.write(&mut gradient[index * len..][..len]);
    }
    gradient
}

/// The gradient by the weights, of their shape.
pub(super) fn weight_gradient<T: Real>(
    geometry: Geometry,
    x: Images<'_, T>,
    output_gradient: Images<'_, T>,
) -> Vec<T> {
    let Geometry { images, channels_in, channels_out, kernel, .. } = geometry;
    let mut windows = Windows::new(geometry);
    let stride = windows.stride;
    let window_rows = rows(windows.block, stride);
    let mut sum = vec![T::ZERO; channels_out * stride];
    for index in 0..images {
        let (image, channel_stride) = x.image(index);
        windows.read(image, channel_stride);
        let (image, channel_stride) = output_gradient.image(index);
        for range in windows.blocks() {
            windows.unfold(range.clone());
            Product {
                a: Left::rows(&image[range.start..], channel_stride),
                b: &windows.rows,
                b_rows: &window_rows[..range.len()],
                c: &mut sum,
                c_stride: stride,
                rows: channels_out,
                columns: geometry.window(),
                add: true,
            }
            .evaluate();
        }
    }
    let area = kernel[0] * kernel[1];
    let mut gradient = vec![T::ZERO; channels_out * geometry.window()];
    for (to, from) in gradient.chunks_exact_mut(geometry.window()).zip(sum.chunks_exact(stride)) {
        transpose(from, channels_in, [area, channels_in], to, area);
    }
    gradient
}

/// Starts of rows of this length.
fn rows(count: usize, stride: usize) -> Vec<usize> {
    (0..count).map(|row| row * stride).collect()
}

/// The weights in the order of a window's numbers, an output channel a row.
fn windowed<T: Real>(geometry: Geometry, weight: Images<'_, T>) -> Vec<T> {
    let Geometry { channels_in, channels_out, kernel, .. } = geometry;
    let area = kernel[0] * kernel[1];
    let stride = row_stride(geometry.window());
    let mut windowed = vec![T::ZERO; channels_out * stride];
    for (index, to) in windowed.chunks_exact_mut(stride).enumerate() {
        let (from, channel_stride) = weight.image(index);
        transpose(from, channel_stride, [channels_in, area], to, channels_in);
    }
    windowed
}

/// The gradient by the bias: sums over images and pixels of a gradient of this many images, channels
/// and pixels.
pub(super) fn bias_gradient<T: Real>(
    output_gradient: Images<'_, T>,
    [images, channels, pixels]: [usize; 3],
) -> Vec<T> {
    let sums = vec![[T::ZERO; LANES]; channels];
    Arch::new().dispatch(Sums { output_gradient, images, pixels, sums })
}

/// Partial sums of a channel: several, so that they are vectors.
const LANES: usize = 32;

/// Sums of channels.
struct Sums<'a, T> {
    output_gradient: Images<'a, T>,
    images: usize,
    pixels: usize,
    sums: Vec<[T; LANES]>,
}

impl<T: Real> WithSimd for Sums<'_, T> {
    type Output = Vec<T>;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> Vec<T> {
        for index in 0..self.images {
            let (image, channel_stride) = self.output_gradient.image(index);
            for (channel, lanes) in self.sums.iter_mut().enumerate() {
                let plane = &image[channel * channel_stride..][..self.pixels];
                let (chunks, rest) = plane.as_chunks::<LANES>();
                let mut sums = *lanes;
                for chunk in chunks {
                    for lane in 0..LANES {
                        sums[lane] += chunk[lane];
                    }
                }
                *lanes = sums;
                lanes.iter_mut().zip(rest).for_each(|(sum, value)| *sum += *value);
            }
        }
        let sum = |lanes: &[T; LANES]| lanes.iter().fold(T::ZERO, |sum, lane| sum + *lane);
        self.sums.iter().map(sum).collect()
    }
}
