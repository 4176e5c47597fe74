//! Which kernels evaluate the functions that dominate small networks.

use core::fmt::Debug;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

/// Kernels for elementwise functions on backend `B`.
///
/// Each method has the backend's own operation as its default, so that an empty impl changes
/// nothing. This is a type of its own rather than a trait on the backend, so that any crate can
/// supply kernels for any backend.
///
/// Shapes: two tensors given together are broadcast against each other unless said otherwise.
pub trait Elementwise<B: Backend>: Clone + Default + Debug + Send + Sync + 'static {
    /// exp(x).
    fn exp(x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_exp(x)
    }

    /// log(x).
    fn log(x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_log(x)
    }

    /// log(1 + x).
    fn log1p(x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_log1p(x)
    }

    /// tanh(x).
    fn tanh(x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_tanh(x)
    }

    /// erf(x).
    fn erf(x: FloatTensor<B>) -> FloatTensor<B> {
        B::float_erf(x)
    }

    /// 1 / (1 + exp(-x)).
    fn sigmoid(x: FloatTensor<B>) -> FloatTensor<B> {
        B::sigmoid(x)
    }

    /// 1 - y^2: the derivative of tanh by its value y.
    fn tanh_slope(y: FloatTensor<B>) -> FloatTensor<B> {
        B::float_add_scalar(B::float_neg(B::float_mul(y.clone(), y)), 1.into())
    }

    /// a b + c d: a tangent by the product rule. The products have one shape.
    fn sum_of_products(
        a: FloatTensor<B>,
        b: FloatTensor<B>,
        c: FloatTensor<B>,
        d: FloatTensor<B>,
    ) -> FloatTensor<B> {
        B::float_add(B::float_mul(a, b), B::float_mul(d, c))
    }
}

/// The backend's own operations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Native;

impl<B: Backend> Elementwise<B> for Native {}
