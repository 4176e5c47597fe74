//! Convolutions and their derivatives, as matrix products with the input's windows.
//!
//! In single and in double precision, in one group; the rest is left to burn. Sums are in the tensors'
//! own precision, and their order depends on the shapes alone.

mod general;
mod geometry;
mod product;
mod shifted;
mod windows;

use crate::element::Real;
use burn_backend::DType;
use burn_backend::ops::{ConvOptions, ModuleOps};
use burn_flex::{Flex, FlexTensor, Layout};
use burn_std::{Bytes, Shape};
use geometry::{Geometry, Images, with_dense_planes};
use shifted::{Shifted, reflected};

/// Convolution of x `[n, channels_in, height, width]` with weights
/// `[channels_out, channels_in, kernel_height, kernel_width]`, plus a bias `[channels_out]`.
///
/// A convolution without the kernel's reflection, as in every network library.
pub fn conv2d(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
    options: ConvOptions<2>,
) -> FlexTensor {
    let geometry = Geometry::new(&x, &weight, &options);
    let bias_dtype = bias.as_ref().map_or(x.dtype(), FlexTensor::dtype);
    match (geometry, common_dtype([x.dtype(), weight.dtype(), bias_dtype])) {
        (Some(geometry), Some(DType::F32)) => output::<f32>(geometry, x, weight, bias),
        (Some(geometry), Some(DType::F64)) => output::<f64>(geometry, x, weight, bias),
        _ => Flex::conv2d(x, weight, bias, options),
    }
}

/// Gradient of [`conv2d`] by x, given the gradient by its output.
pub fn conv2d_x_backward(
    x: FlexTensor,
    weight: FlexTensor,
    output_grad: FlexTensor,
    options: ConvOptions<2>,
) -> FlexTensor {
    match covered(&x, &weight, &output_grad, &options) {
        Some((geometry, DType::F32)) => input_gradient::<f32>(geometry, weight, output_grad),
        Some((geometry, DType::F64)) => input_gradient::<f64>(geometry, weight, output_grad),
        _ => Flex::conv2d_x_backward(x, weight, output_grad, options),
    }
}

/// Gradient of [`conv2d`] by its weights, given the gradient by its output.
pub fn conv2d_weight_backward(
    x: FlexTensor,
    weight: FlexTensor,
    output_grad: FlexTensor,
    options: ConvOptions<2>,
) -> FlexTensor {
    match covered(&x, &weight, &output_grad, &options) {
        Some((geometry, DType::F32)) => weight_gradient::<f32>(geometry, x, output_grad),
        Some((geometry, DType::F64)) => weight_gradient::<f64>(geometry, x, output_grad),
        _ => Flex::conv2d_weight_backward(x, weight, output_grad, options),
    }
}

/// Gradient of [`conv2d`] by its bias, given the gradient by its output: sums over images and pixels.
pub fn conv2d_bias_backward(
    x: FlexTensor,
    bias: FlexTensor,
    output_grad: FlexTensor,
) -> FlexTensor {
    let [_, channels, _, _] = output_grad.layout().shape().dims();
    let shaped = bias.layout().shape().num_elements() == channels;
    match common_dtype([bias.dtype(), output_grad.dtype(), bias.dtype()]) {
        Some(DType::F32) if shaped => bias_gradient::<f32>(bias, output_grad),
        Some(DType::F64) if shaped => bias_gradient::<f64>(bias, output_grad),
        _ => Flex::conv2d_bias_backward(x, bias, output_grad),
    }
}

/// Convolution of x `[n, channels_in, length]` with weights `[channels_out, channels_in, kernel]`, plus
/// a bias `[channels_out]`.
pub fn conv1d(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
    options: ConvOptions<1>,
) -> FlexTensor {
    lowered(conv2d(raised(x), raised(weight), bias, flat(options)))
}

/// Gradient of [`conv1d`] by x, given the gradient by its output.
pub fn conv1d_x_backward(
    x: FlexTensor,
    weight: FlexTensor,
    output_grad: FlexTensor,
    options: ConvOptions<1>,
) -> FlexTensor {
    let output_grad = raised(output_grad);
    lowered(conv2d_x_backward(raised(x), raised(weight), output_grad, flat(options)))
}

/// Gradient of [`conv1d`] by its weights, given the gradient by its output.
pub fn conv1d_weight_backward(
    x: FlexTensor,
    weight: FlexTensor,
    output_grad: FlexTensor,
    options: ConvOptions<1>,
) -> FlexTensor {
    let output_grad = raised(output_grad);
    lowered(conv2d_weight_backward(raised(x), raised(weight), output_grad, flat(options)))
}

/// Gradient of [`conv1d`] by its bias, given the gradient by its output.
pub fn conv1d_bias_backward(
    x: FlexTensor,
    bias: FlexTensor,
    output_grad: FlexTensor,
) -> FlexTensor {
    conv2d_bias_backward(raised(x), bias, raised(output_grad))
}

/// The type of all three.
fn common_dtype([first, second, third]: [DType; 3]) -> Option<DType> {
    (first == second && second == third).then_some(first)
}

/// The sizes and the type of a derivative's tensors, if the output's gradient has the output's shape.
fn covered(
    x: &FlexTensor,
    weight: &FlexTensor,
    output_grad: &FlexTensor,
    options: &ConvOptions<2>,
) -> Option<(Geometry, DType)> {
    let geometry = Geometry::new(x, weight, options)?;
    let Geometry { images, channels_out, output: [height, width], .. } = geometry;
    let shape: [usize; 4] = output_grad.layout().shape().dims();
    let dtype = common_dtype([x.dtype(), weight.dtype(), output_grad.dtype()])?;
    (shape == [images, channels_out, height, width]).then_some((geometry, dtype))
}

fn output<T: Real>(
    geometry: Geometry,
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
) -> FlexTensor {
    let [x, weight] = [with_dense_planes(x), weight.to_contiguous()];
    let bias = bias.map(|bias| bias.to_contiguous());
    let bias = bias.as_ref().map(|bias| bias.storage());
    let Geometry { images, channels_out, output: [height, width], .. } = geometry;
    let values = match Shifted::new(geometry) {
        Some(shifted) => shifted.output::<T>(Images::new(&x), weight.storage(), bias),
        None => general::output::<T>(geometry, Images::new(&x), Images::new(&weight), bias),
    };
    tensor(values, Shape::new([images, channels_out, height, width]))
}

fn input_gradient<T: Real>(
    geometry: Geometry,
    weight: FlexTensor,
    output_grad: FlexTensor,
) -> FlexTensor {
    let [weight, output_grad] = [weight.to_contiguous(), with_dense_planes(output_grad)];
    let gradient = Images::new(&output_grad);
    let Geometry { images, channels_in, channels_out, input: [height, width], kernel, .. } =
        geometry;
    let values = match geometry.adjoint().and_then(Shifted::new) {
        Some(shifted) => {
            let channels = [channels_out, channels_in];
            let weight = reflected::<T>(weight.storage(), channels, kernel[0] * kernel[1]);
            shifted.output(gradient, &weight, None)
        }
        None => general::input_gradient::<T>(geometry, Images::new(&weight), gradient),
    };
    tensor(values, Shape::new([images, channels_in, height, width]))
}

fn weight_gradient<T: Real>(
    geometry: Geometry,
    x: FlexTensor,
    output_grad: FlexTensor,
) -> FlexTensor {
    let [x, output_grad] = [x, output_grad].map(with_dense_planes);
    let Geometry { channels_in, channels_out, kernel: [height, width], .. } = geometry;
    let values =
        general::weight_gradient::<T>(geometry, Images::new(&x), Images::new(&output_grad));
    tensor(values, Shape::new([channels_out, channels_in, height, width]))
}

fn bias_gradient<T: Real>(bias: FlexTensor, output_grad: FlexTensor) -> FlexTensor {
    let [images, channels, height, width] = output_grad.layout().shape().dims();
    let output_grad = with_dense_planes(output_grad);
    let sums =
        general::bias_gradient::<T>(Images::new(&output_grad), [images, channels, height * width]);
    tensor(sums, bias.layout().shape().clone())
}

fn tensor<T: Real>(values: Vec<T>, shape: Shape) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), T::dtype())
}

/// The tensor with a height of 1.
fn raised(tensor: FlexTensor) -> FlexTensor {
    let layout = tensor.layout();
    let [n, channels, length] = layout.shape().dims();
    let strides = layout.strides();
    let strides = vec![strides[0], strides[1], length as isize * strides[2], strides[2]];
    let layout = Layout::new(Shape::new([n, channels, 1, length]), strides, layout.start_offset());
    tensor.with_layout(layout)
}

/// The tensor without its height, which is 1.
fn lowered(tensor: FlexTensor) -> FlexTensor {
    let layout = tensor.layout();
    let [n, channels, _, length] = layout.shape().dims();
    let strides = layout.strides();
    let strides = vec![strides[0], strides[1], strides[3]];
    let layout = Layout::new(Shape::new([n, channels, length]), strides, layout.start_offset());
    tensor.with_layout(layout)
}

/// The options with a height of 1.
fn flat(options: ConvOptions<1>) -> ConvOptions<2> {
    let ConvOptions { stride: [stride], padding: [padding], dilation: [dilation], groups } =
        options;
    ConvOptions::new([1, stride], [0, padding], [1, dilation], groups)
}
