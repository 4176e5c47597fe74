//! Operations on tensors that are stacked along a leading axis.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{BoolTensor, FloatTensor, IntTensor};
use burn::tensor::{Shape, Slice, TensorMetadata};

/// `[count, ...shape]`.
pub(super) fn lead(count: usize, shape: &Shape) -> Shape {
    let mut stacked = shape.clone();
    stacked.insert(0, count);
    stacked
}

/// One that serves for all directions: `[1, ...]`.
pub(super) fn for_all<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = lead(1, &x.shape());
    B::float_reshape(x, shape)
}

/// A mask for all directions: repeated, which takes no memory.
pub(super) fn mask_for_all<B: Backend>(mask: BoolTensor<B>, count: usize) -> BoolTensor<B> {
    let shape = mask.shape();
    let one = B::bool_reshape(mask, lead(1, &shape));
    if count == 1 { one } else { B::bool_expand(one, lead(count, &shape)) }
}

/// Indices for all directions.
pub(super) fn indices_for_all<B: Backend>(indices: IntTensor<B>, count: usize) -> IntTensor<B> {
    let shape = indices.shape();
    let one = B::int_reshape(indices, lead(1, &shape));
    if count == 1 { one } else { B::int_expand(one, lead(count, &shape)) }
}

/// The first two axes as one, and apart again: for operations that treat the elements of a leading
/// axis alike.
pub(super) fn folded<B: Backend>(
    stack: FloatTensor<B>,
    count: usize,
    f: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<B> {
    let mut shape = stack.shape();
    let directions = shape.remove(0);
    shape[0] *= directions;
    let result = f(B::float_reshape(stack, shape));
    let mut shape = result.shape();
    shape[0] /= count.max(1);
    B::float_reshape(result, lead(count, &shape))
}

/// `f` of each tensor of a stack, whose shapes are `shape`.
pub(super) fn one_by_one<B: Backend>(
    stack: FloatTensor<B>,
    shape: &Shape,
    count: usize,
    f: impl Fn(FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<B> {
    if count == 1 {
        return for_all::<B>(f(B::float_reshape(stack, shape.clone())));
    }
    let results = (0..count).map(|i| for_all::<B>(f(nth::<B>(stack.clone(), shape, i)))).collect();
    B::float_cat(results, 0)
}

/// [`one_by_one`] of two stacks.
pub(super) fn two_by_two<B: Backend>(
    stacks: [FloatTensor<B>; 2],
    shapes: &[Shape; 2],
    count: usize,
    f: impl Fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<B> {
    let [left, right] = stacks;
    let one = |i| {
        let left = nth::<B>(left.clone(), &shapes[0], i);
        for_all::<B>(f(left, nth::<B>(right.clone(), &shapes[1], i)))
    };
    let mut results: Vec<_> = (0..count).map(one).collect();
    if count == 1 { results.remove(0) } else { B::float_cat(results, 0) }
}

fn nth<B: Backend>(stack: FloatTensor<B>, shape: &Shape, i: usize) -> FloatTensor<B> {
    let mut slices = vec![Slice::full(); shape.num_dims() + 1];
    slices[0] = Slice::from(i..i + 1);
    B::float_reshape(B::float_slice(stack, &slices), shape.clone())
}

/// The product of a stack of matrices and a factor.
pub(super) fn matmul_right<B: Backend>(
    stack: FloatTensor<B>,
    factor: FloatTensor<B>,
    count: usize,
) -> FloatTensor<B> {
    if factor.rank() == 2 && stack.rank() == 3 {
        // One product of all rows.
        return folded::<B>(stack, count, |rows| B::float_matmul(rows, factor));
    }
    B::float_matmul(stack, for_all::<B>(factor))
}

/// The product of a factor and a stack of matrices.
pub(super) fn matmul_left<B: Backend>(
    factor: FloatTensor<B>,
    stack: FloatTensor<B>,
    count: usize,
) -> FloatTensor<B> {
    if count == 1 {
        let mut shape = stack.shape();
        shape.remove(0);
        return for_all::<B>(B::float_matmul(factor, B::float_reshape(stack, shape)));
    }
    B::float_matmul(for_all::<B>(factor), stack)
}
