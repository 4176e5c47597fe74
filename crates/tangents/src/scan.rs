//! Rules of products and running extremes along an axis.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, Slice, TensorMetadata, get_device_settings};

use crate::DualTensor;
use crate::dual::{ones_like, scale};

/// Elements `range` of x along `dim`.
fn part<B: Backend>(
    x: FloatTensor<B>,
    dim: usize,
    range: core::ops::Range<usize>,
) -> FloatTensor<B> {
    let mut slices = vec![Slice::full(); x.rank()];
    slices[dim] = Slice::from(range);
    B::float_slice(x, &slices)
}

/// For each element, the product of those before it along `dim`.
fn product_before<B: Backend>(x: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
    let len = x.shape()[dim];
    let first = ones_like::<B>(&part::<B>(x.clone(), dim, 0..1));
    if len == 1 {
        return first;
    }
    B::float_cat(vec![first, B::float_cumprod(part::<B>(x, dim, 0..len - 1), dim)], dim)
}

/// The product along `dim` by `product`. Its derivative is right at zeros and negative numbers too.
pub(crate) fn product<B: Backend>(
    x: DualTensor<B>,
    dim: usize,
    product: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> DualTensor<B> {
    if x.is_constant() {
        return DualTensor::constant(product(x.primal));
    }
    let before = product_before::<B>(x.primal.clone(), dim);
    let after = product_before::<B>(B::float_flip(x.primal.clone(), &[dim]), dim);
    let others = B::float_mul(before, B::float_flip(after, &[dim]));
    let summed = scale::<B>(x.tangents, others).into_iter();
    let tangents = summed.map(|t| B::float_sum_dim(t, dim)).collect();
    DualTensor::of(product(x.primal), tangents)
}

/// Running products: dy_i = dy_(i-1) x_i + y_(i-1) dx_i, which is right at zeros too.
pub(crate) fn cumprod<B: Backend>(x: DualTensor<B>, dim: usize) -> DualTensor<B> {
    let y = B::float_cumprod(x.primal.clone(), dim);
    let len = y.shape()[dim];
    let running = |tangent: FloatTensor<B>| {
        let mut parts = vec![part::<B>(tangent.clone(), dim, 0..1)];
        for i in 1..len {
            let at = |x: &FloatTensor<B>, i: usize| part::<B>(x.clone(), dim, i..i + 1);
            let carried = B::float_mul(parts[i - 1].clone(), at(&x.primal, i));
            let own = B::float_mul(at(&y, i - 1), at(&tangent, i));
            parts.push(B::float_add(carried, own));
        }
        B::float_cat(parts, dim)
    };
    let tangents = x.tangents.into_iter().map(running).collect();
    DualTensor::of(y, tangents)
}

/// Running extremes by `extreme`.
pub(crate) fn cumulative_extreme<B: Backend>(
    x: DualTensor<B>,
    dim: usize,
    extreme: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> DualTensor<B> {
    if x.is_constant() {
        return DualTensor::constant(extreme(x.primal));
    }
    let primal = extreme(x.primal.clone());
    let sources = sources::<B>(x.primal, primal.clone(), dim);
    let at = |tangent| B::float_gather(dim, tangent, sources.clone());
    DualTensor::of(primal, x.tangents.into_iter().map(at).collect())
}

/// For each running extreme, the position along `dim` that it was reached at: the last one at which
/// the element is the extreme itself.
fn sources<B: Backend>(x: FloatTensor<B>, extreme: FloatTensor<B>, dim: usize) -> IntTensor<B> {
    let (shape, device) = (x.shape(), B::float_device(&x));
    let settings = get_device_settings::<B>(&device);
    let mut axis = vec![1; shape.num_dims()];
    axis[dim] = shape[dim];
    let positions = B::int_arange(0..shape[dim] as i64, &device, settings.int_dtype);
    let positions = B::int_expand(B::int_reshape(positions, Shape::from(axis)), shape);
    let reached = B::float_equal(extreme, x, settings.bool_dtype);
    let reached = B::int_mul(positions, B::bool_into_int(reached, settings.int_dtype));
    B::int_cummax(reached, dim)
}
