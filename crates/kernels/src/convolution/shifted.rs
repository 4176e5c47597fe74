//! Convolutions whose windows are one pixel apart, without copies of the windows.
//!
//! With the image's rows one after the other, padding between them, the numbers that a weight is
//! multiplied with for all output pixels are one piece of the image, shifted by the weight's place. At
//! the rows' ends the product has numbers of no pixel, which are left out.

use super::geometry::{Geometry, Images};
use super::product::{ALIGN, Product, row_stride};
use crate::element::Real;
use crate::tile::Left;
use pulp::{Arch, Simd, WithSimd};

/// Bytes of the products of a block of rows: they stay in a core's own cache.
const BLOCK: usize = 1 << 16;
/// Numbers that are copied at once.
const CHUNK: usize = 8;

/// Where the padded image's rows, and from them the output's rows, start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shifted {
    geometry: Geometry,
    /// From one row to the next: padding on one side, which serves the next row as well.
    pitch: usize,
    /// From one plane to the next.
    plane: usize,
}

impl Shifted {
    /// The places for a convolution; none if windows are not one pixel apart, padding gives more
    /// columns than the image has, or too little of the product were used.
    pub fn new(geometry: Geometry) -> Option<Self> {
        let Geometry { channels_out, input, output, kernel, stride, padding, dilation, .. } =
            geometry;
        let pitch = input[1] + padding[1];
        let len = (output[0] - 1) * pitch + output[1];
        // Fewer rows than a tile's leave sums waiting for one another.
        let fits = stride == [1, 1] && output[1] <= pitch && channels_out >= 4;
        let used = 10 * len.next_multiple_of(8) <= 13 * geometry.pixels_out();
        let rows = output[0] + (kernel[0] - 1) * dilation[0];
        (fits && used).then_some(Self { geometry, pitch, plane: rows * pitch })
    }

    /// The output, `[images, channels_out, height, width]`, for weights
    /// `[channels_out, channels_in, height, width]` in order.
    pub fn output<T: Real>(&self, x: Images<'_, T>, weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let Geometry { images, channels_in, channels_out, output: [height, width], .. } =
            self.geometry;
        let pixels = self.geometry.pixels_out();
        let mut output = vec![T::ZERO; images * channels_out * pixels];
        // The last product reads on to a vector's end.
        let mut padded = vec![T::ZERO; channels_in * self.plane + 2 * ALIGN + self.pitch];
        let places = self.places();
        let most = (BLOCK / (channels_out * size_of::<T>()) / self.pitch).max(1);
        let rows = height.div_ceil(height.div_ceil(most));
        let stride = row_stride(rows * self.pitch);
        let mut products = vec![T::ZERO; channels_out * stride];
        for index in 0..images {
            let output = &mut output[index * channels_out * pixels..][..channels_out * pixels];
            self.read(x, index, &mut padded);
            for from in (0..height).step_by(rows) {
                let rows = rows.min(height - from);
                Product {
                    a: Left::rows(weight, places.len()),
                    b: &padded[from * self.pitch..],
                    b_rows: &places,
                    c: &mut products,
                    c_stride: stride,
                    rows: channels_out,
                    columns: (rows - 1) * self.pitch + width,
                    add: false,
                }
                .evaluate();
                Arch::new().dispatch(Rows {
                    from: &products,
                    from_strides: [stride, self.pitch],
                    to: &mut output[from * width..],
                    to_strides: [pixels, width],
                    counts: [channels_out, rows, width],
                    bias,
                });
            }
        }
        output
    }

    /// Where the first product's row starts in the padded image, for each weight of an output channel.
    fn places(&self) -> Vec<usize> {
        let Geometry { channels_in, kernel: [height, width], dilation, .. } = self.geometry;
        let mut places = Vec::with_capacity(self.geometry.window());
        for channel in 0..channels_in {
            for row in 0..height {
                let row = channel * self.plane + row * dilation[0] * self.pitch;
                places.extend((0..width).map(|column| row + column * dilation[1]));
            }
        }
        places
    }

    /// Copies an image into the padded image.
    fn read<T: Real>(&self, x: Images<'_, T>, index: usize, padded: &mut [T]) {
        let Geometry { channels_in, input: [height, width], padding, .. } = self.geometry;
        let (image, channel_stride) = x.image(index);
        let start = padding[0] * self.pitch + padding[1];
        Arch::new().dispatch(Rows {
            from: image,
            from_strides: [channel_stride, width],
            to: &mut padded[start..],
            to_strides: [self.plane, self.pitch],
            counts: [channels_in, height, width],
            bias: None,
        });
    }
}

/// Weights `[outputs, inputs, ..]` of kernels of `area` pixels for the adjoint of their convolution:
/// `[inputs, outputs, ..]`, reflected.
pub(super) fn reflected<T: Real>(
    weight: &[T],
    [outputs, inputs]: [usize; 2],
    area: usize,
) -> Vec<T> {
    let mut reflected = Vec::with_capacity(weight.len());
    for input in 0..inputs {
        for output in 0..outputs {
            let kernel = &weight[(output * inputs + input) * area..][..area];
            reflected.extend(kernel.iter().rev());
        }
    }
    reflected
}

/// Copies planes row by row, plus a number for each plane.
struct Rows<'a, T> {
    from: &'a [T],
    /// From one plane and from one row to the next.
    from_strides: [usize; 2],
    to: &'a mut [T],
    to_strides: [usize; 2],
    /// Planes, rows and columns.
    counts: [usize; 3],
    bias: Option<&'a [T]>,
}

impl<T: Real> WithSimd for Rows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let [planes, rows, columns] = self.counts;
        for plane in 0..planes {
            let bias = self.bias.map_or(T::ZERO, |bias| bias[plane]);
            for row in 0..rows {
                let at = |strides: [usize; 2]| plane * strides[0] + row * strides[1];
                let from = &self.from[at(self.from_strides)..][..columns];
                let to = &mut self.to[at(self.to_strides)..][..columns];
                if columns < CHUNK {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from + bias);
                    continue;
                }
                for at in (0..columns).step_by(CHUNK) {
                    // The last chunk ends with the row.
                    let at = at.min(columns - CHUNK);
                    let (from, to) = (&from[at..][..CHUNK], &mut to[at..][..CHUNK]);
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from + bias);
                }
            }
        }
    }
}
