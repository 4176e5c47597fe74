//! Sizes of a convolution, and tensors as images of planes.

use crate::element::Real;
use burn_backend::ops::ConvOptions;
use burn_flex::FlexTensor;

/// Sizes of a two-dimensional convolution in one group.
///
/// Output pixel (i, j) is at window (i, j), which covers the padded input's pixels
/// (`i * stride + k * dilation`, ...) for k in 0..kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    /// Images of a batch.
    pub images: usize,
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next.
    pub stride: [usize; 2],
    /// Zeros before and after the input.
    pub padding: [usize; 2],
    /// Pixels from one of a window's pixels to the next.
    pub dilation: [usize; 2],
}

impl Geometry {
    /// The sizes for tensors of shapes `[images, channels_in, ..]` and
    /// `[channels_out, channels_in, ..]`; none where no window fits, nothing is in an image, or the
    /// channels are in several groups.
    pub fn new(x: &FlexTensor, weight: &FlexTensor, options: &ConvOptions<2>) -> Option<Self> {
        let [images, channels_in, height, width] = x.layout().shape().dims();
        let [channels_out, channels, kernel_height, kernel_width] = weight.layout().shape().dims();
        let ConvOptions { stride, padding, dilation, groups } = options;
        let [input, kernel] = [[height, width], [kernel_height, kernel_width]];
        let mut output = [0; 2];
        for axis in 0..2 {
            let reach = dilation[axis] * kernel[axis].checked_sub(1)? + 1;
            let room = (input[axis] + 2 * padding[axis]).checked_sub(reach)?;
            output[axis] = room / stride[axis] + 1;
        }
        let [stride, padding, dilation] = [*stride, *padding, *dilation];
        let empty = channels_in * channels_out * height * width == 0;
        (*groups == 1 && channels == channels_in && !empty).then_some(Self {
            images,
            channels_in,
            channels_out,
            input,
            output,
            kernel,
            stride,
            padding,
            dilation,
        })
    }

    /// The convolution of the output's gradient, by the reflected kernel, that is the gradient by the
    /// input; none if windows are not one pixel apart or some lie in the padding alone.
    pub fn adjoint(&self) -> Option<Self> {
        let padding = |axis: usize| {
            let reach = self.dilation[axis] * (self.kernel[axis] - 1);
            reach.checked_sub(self.padding[axis])
        };
        let padding = [padding(0)?, padding(1)?];
        (self.stride == [1, 1]).then_some(Self {
            channels_in: self.channels_out,
            channels_out: self.channels_in,
            input: self.output,
            output: self.input,
            padding,
            ..*self
        })
    }

    /// Pixels of an image of the input.
    pub fn pixels_in(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Pixels of an image of the output, which are windows of the input.
    pub fn pixels_out(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Numbers in a window: kernel height, kernel width, input channels.
    pub fn window(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels_in
    }

    /// Height and width of the input with its padding.
    pub fn padded(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.input[axis] + 2 * self.padding[axis])
    }
}

/// A tensor `[images, channels, height, width]` whose planes are contiguous.
#[derive(Clone, Copy)]
pub(super) struct Images<'a, T> {
    values: &'a [T],
    image_stride: usize,
    channel_stride: usize,
}

impl<'a, T: Real> Images<'a, T> {
    /// The images of a tensor made ready by [`with_dense_planes`].
    pub fn new(tensor: &'a FlexTensor) -> Self {
        let layout = tensor.layout();
        let stride = |axis: usize| layout.strides()[axis].unsigned_abs();
        Self {
            values: &tensor.storage()[layout.start_offset()..],
            image_stride: stride(0),
            channel_stride: stride(1),
        }
    }

    /// An image from its first number on, and the distance of its channels.
    pub fn image(&self, index: usize) -> (&'a [T], usize) {
        (&self.values[index * self.image_stride..], self.channel_stride)
    }
}

/// The tensor, copied unless each of its planes is contiguous.
pub(super) fn with_dense_planes(tensor: FlexTensor) -> FlexTensor {
    let width = tensor.layout().shape()[3];
    let dense = match tensor.layout().strides() {
        [image, channel, row, column] => {
            *image >= 0 && *channel >= 0 && *row == width as isize && *column == 1
        }
        _ => false,
    };
    if dense { tensor } else { tensor.to_contiguous() }
}
