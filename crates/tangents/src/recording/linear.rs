//! What is linear in directions, by kinds of operations.

use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Slice, TensorMetadata};

use super::operation::Operation;
use super::stacked::{for_all, lead};
use super::tensor::{LinearTensor, RecordedTensor, not_linear};
use crate::Elementwise;

/// `shape` with this length of an axis.
pub(super) fn with_length(mut shape: Shape, dim: usize, length: usize) -> Shape {
    shape[dim] = length;
    shape
}

/// The shape that tensors of two shapes are broadcast to.
pub(super) fn broadcast(left: &Shape, right: &Shape) -> Shape {
    left.broadcast(right).expect("shapes that are broadcast against each other")
}

/// A sum or difference.
pub(super) fn combined<B: Elementwise>(
    operation: &'static str,
    sum: bool,
    l: RecordedTensor<B>,
    r: RecordedTensor<B>,
    f: fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> RecordedTensor<B> {
    match (l, r) {
        (RecordedTensor::Known(l), RecordedTensor::Known(r)) => RecordedTensor::Known(f(l, r)),
        (RecordedTensor::Linear(l), RecordedTensor::Linear(r)) => {
            let shape = broadcast(&l.shape, &r.shape);
            match sum {
                true => l.by_with(r, shape, Operation::Add),
                false => l.with(r, shape, &[], move |l, r, _| f(l, r)),
            }
        }
        _ => not_linear(operation),
    }
}

/// What is linear times a number.
pub(super) fn times<B: Elementwise>(x: LinearTensor<B>, by: f64) -> RecordedTensor<B> {
    let shape = x.shape.clone();
    x.by(shape, Operation::Scale(by))
}

/// What is linear times a factor.
pub(super) fn scaled<B: Elementwise>(
    x: LinearTensor<B>,
    factor: FloatTensor<B>,
) -> RecordedTensor<B> {
    let shape = broadcast(&x.shape, &factor.shape());
    x.by(shape, Operation::Multiply(for_all::<B>(factor)))
}

/// A function linear in each of two tensors, neither of which has a form for several directions.
pub(super) fn bilinear<B: Elementwise>(
    operation: &'static str,
    l: RecordedTensor<B>,
    r: RecordedTensor<B>,
    f: impl Fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B> + Send + Sync + 'static,
) -> RecordedTensor<B> {
    match (l, r) {
        (RecordedTensor::Known(l), RecordedTensor::Known(r)) => RecordedTensor::Known(f(l, r)),
        (RecordedTensor::Linear(l), RecordedTensor::Known(r)) => l.each(move |l| f(l, r.clone())),
        (RecordedTensor::Known(l), RecordedTensor::Linear(r)) => r.each(move |r| f(l.clone(), r)),
        _ => not_linear(operation),
    }
}

/// A function linear in two tensors together; a known one among them is zero. `stacked` is its form
/// for several directions.
pub(super) fn jointly_linear<B: Elementwise>(
    l: RecordedTensor<B>,
    r: RecordedTensor<B>,
    shape: Shape,
    f: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
    stacked: impl Fn(FloatTensor<B>, FloatTensor<B>, usize) -> FloatTensor<B> + Send + Sync + 'static,
) -> RecordedTensor<B> {
    let repeated = |x: FloatTensor<B>, count| {
        let shape = lead(count, &x.shape());
        B::float_expand(for_all::<B>(x), shape)
    };
    match (l, r) {
        (RecordedTensor::Known(l), RecordedTensor::Known(r)) => RecordedTensor::Known(f(l, r)),
        (RecordedTensor::Linear(l), RecordedTensor::Known(r)) => {
            l.then(shape, &[], move |l, count| stacked(l, repeated(r.clone(), count), count))
        }
        (RecordedTensor::Known(l), RecordedTensor::Linear(r)) => {
            r.then(shape, &[], move |r, count| stacked(repeated(l.clone(), count), r, count))
        }
        (RecordedTensor::Linear(l), RecordedTensor::Linear(r)) => l.with(r, shape, &[], stacked),
    }
}

/// All of the directions, and these slices of each.
pub(super) fn slices_of_all(slices: &[Slice]) -> Vec<Slice> {
    [Slice::full()].into_iter().chain(slices.iter().copied()).collect()
}

/// The axes of a stack, of which the first stays.
pub(super) fn axes_of_all(axes: &[usize]) -> Vec<usize> {
    [0].into_iter().chain(axes.iter().map(|axis| axis + 1)).collect()
}
