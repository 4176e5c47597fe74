//! What a backend may do in one pass.

use burn::tensor::TensorMetadata;
use burn::tensor::ops::{FloatTensor, FloatTensorOps};

use super::Recording;
use super::linear::broadcast;
use super::operation::Operation;
use super::stacked::for_all;
use super::tensor::RecordedTensor;
use crate::Elementwise;

impl<B: Elementwise> Elementwise for Recording<B> {
    fn tanh_slope(y: FloatTensor<Self>) -> FloatTensor<Self> {
        RecordedTensor::Known(B::tanh_slope(y.known("tanh")))
    }

    fn sum_of_products(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        match (a, b, c, d) {
            (
                RecordedTensor::Linear(a),
                RecordedTensor::Known(b),
                RecordedTensor::Known(c),
                RecordedTensor::Linear(d),
            ) => {
                let shape = broadcast(&a.shape, &b.shape());
                let operation = Operation::SumOfProducts(for_all::<B>(b), for_all::<B>(c));
                a.by_with(d, shape, operation)
            }
            (a, b, c, d) => {
                let product = |x, y| Self::float_mul(x, y);
                Self::float_add(product(a, b), product(d, c))
            }
        }
    }

    fn softmax_tangent(
        p: FloatTensor<Self>,
        dx: FloatTensor<Self>,
        dim: usize,
    ) -> FloatTensor<Self> {
        along_softmax(p, dx, dim, B::softmax_tangent)
    }

    fn log_softmax_tangent(
        p: FloatTensor<Self>,
        dx: FloatTensor<Self>,
        dim: usize,
    ) -> FloatTensor<Self> {
        along_softmax(p, dx, dim, B::log_softmax_tangent)
    }
}

/// `f` of a softmax and a direction.
fn along_softmax<B: Elementwise>(
    p: RecordedTensor<B>,
    dx: RecordedTensor<B>,
    dim: usize,
    f: fn(FloatTensor<B>, FloatTensor<B>, usize) -> FloatTensor<B>,
) -> RecordedTensor<B> {
    let p = p.known("softmax");
    match dx {
        RecordedTensor::Known(dx) => RecordedTensor::Known(f(p, dx, dim)),
        RecordedTensor::Linear(dx) => {
            let (shape, p) = (dx.shape.clone(), for_all::<B>(p));
            dx.then(shape, &[&p.clone()], move |dx, _| f(p.clone(), dx, dim + 1))
        }
    }
}
