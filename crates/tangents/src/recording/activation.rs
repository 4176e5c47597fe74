//! Activation functions: of values. What is linear in directions goes through their slopes.

use burn::tensor::ops::{ActivationOps, FloatTensor, FloatTensorOps};
use burn::tensor::{Scalar, get_device_settings};

use super::Recording;
use super::tensor::RecordedTensor;
use crate::Elementwise;

/// Functions of a value.
macro_rules! values {
    ($(fn $name:ident(tensor $(, $argument:ident: $type:ty)*);)*) => {
        $(
            fn $name(tensor: FloatTensor<Self> $(, $argument: $type)*) -> FloatTensor<Self> {
                let tensor = tensor.known(stringify!($name));
                RecordedTensor::Known(B::$name(tensor $(, $argument)*))
            }
        )*
    };
}

/// Functions of two values.
macro_rules! values_of_two {
    ($($name:ident)*) => {
        $(
            fn $name(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
                let (x, y) = (x.known(stringify!($name)), y.known(stringify!($name)));
                RecordedTensor::Known(B::$name(x, y))
            }
        )*
    };
}

impl<B: Elementwise> ActivationOps<Self> for Recording<B> {
    values! {
        fn relu(tensor);
        fn leaky_relu(tensor, negative_slope: Scalar);
        fn gelu(tensor);
        fn sigmoid(tensor);
        fn hard_sigmoid(tensor, alpha: Scalar, beta: Scalar);
        fn log_sigmoid(tensor);
        fn softmax(tensor, dim: usize);
        fn log_softmax(tensor, dim: usize);
        fn softmin(tensor, dim: usize);
    }

    values_of_two! { prelu gelu_backward sigmoid_backward log_sigmoid_backward }

    fn relu_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let output = output.known("relu");
        match grad {
            RecordedTensor::Known(grad) => RecordedTensor::Known(B::relu_backward(output, grad)),
            grad => {
                let bools = get_device_settings::<B>(&B::float_device(&output)).bool_dtype;
                let off = B::float_lower_equal_elem(output, 0.into(), bools);
                Self::float_mask_fill(grad, off, 0.into())
            }
        }
    }
}
