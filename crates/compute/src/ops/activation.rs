//! Activation functions.

use burn::tensor::Scalar;
use burn::tensor::ops::{ActivationOps, FloatTensor};

use crate::Compute;
use crate::dispatch::{dispatch, with_kernels};
use sharpscope_kernels as kernels;

impl ActivationOps<Self> for Compute {
    with_kernels! {
        fn softmax(tensor: FloatTensor<Self>, dim: usize) => kernels::softmax;
        fn log_softmax(tensor: FloatTensor<Self>, dim: usize) => kernels::log_softmax;
        fn sigmoid(tensor: FloatTensor<Self>) => kernels::sigmoid;
        fn relu(tensor: FloatTensor<Self>) => kernels::relu;
        fn relu_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) => kernels::relu_backward;
    }

    dispatch! {
        fn leaky_relu(tensor: FloatTensor<Self>, negative_slope: Scalar) -> FloatTensor<Self>;
        fn gelu(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
        fn prelu(tensor: FloatTensor<Self>, alpha: FloatTensor<Self>) -> FloatTensor<Self>;
        fn gelu_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>;
        fn sigmoid_backward(
            output: FloatTensor<Self>,
            grad: FloatTensor<Self>,
        ) -> FloatTensor<Self>;
        fn hard_sigmoid(
            tensor: FloatTensor<Self>,
            alpha: Scalar,
            beta: Scalar,
        ) -> FloatTensor<Self>;
        fn log_sigmoid(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
        fn softmin(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;
        fn log_sigmoid_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>;
    }
}
