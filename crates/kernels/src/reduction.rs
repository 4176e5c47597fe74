//! Sums, means and maxima of a tensor or along one of its axes, which stays with length 1.
//!
//! Sums are of partial sums, so that rounding errors grow with the number of those, not of elements.

use burn_backend::ops::FloatTensorOps;
use burn_backend::{DType, Scalar};
use burn_flex::{Flex, FlexTensor, Layout};

use crate::contiguous::contiguous;
use crate::element::{Real, dense, shape_of, strided, vectorized};
use crate::fold::{Fold, Max, Sum, fold_columns, fold_rows};
use crate::pool::take;
use crate::strides::{Axes, MAX_RANK, axes_of, packed, storage_order};
use crate::unary::div_scalar;

/// The sum of all elements, of shape \[1\].
pub fn sum(x: FlexTensor) -> FlexTensor {
    match x.dtype() {
        _ if unfit(&x) => Flex::float_sum(x),
        DType::F32 => sum_typed::<f32>(x),
        DType::F64 => sum_typed::<f64>(x),
        _ => Flex::float_sum(x),
    }
}

/// The mean of all elements, of shape \[1\].
pub fn mean(x: FlexTensor) -> FlexTensor {
    match x.dtype() {
        DType::F32 | DType::F64 => {
            let count = Scalar::from(x.layout().num_elements() as f64);
            div_scalar(sum(x), count)
        }
        _ => Flex::float_mean(x),
    }
}

/// The sums along an axis.
pub fn sum_dim(x: FlexTensor, dim: usize) -> FlexTensor {
    along::<Sum>(x, dim, Flex::float_sum_dim)
}

/// The means along an axis.
pub fn mean_dim(x: FlexTensor, dim: usize) -> FlexTensor {
    match (x.dtype(), x.layout().shape().as_slice().get(dim)) {
        (DType::F32 | DType::F64, Some(1..)) => {
            let count = Scalar::from(x.layout().shape()[dim] as f64);
            div_scalar(sum_dim(x, dim), count)
        }
        _ => Flex::float_mean_dim(x, dim),
    }
}

/// The largest elements along an axis; not a number where any is not.
pub fn max_dim(x: FlexTensor, dim: usize) -> FlexTensor {
    along::<Max>(x, dim, Flex::float_max_dim)
}

fn unfit(x: &FlexTensor) -> bool {
    x.layout().num_dims() > MAX_RANK || x.layout().num_elements() == 0
}

fn sum_typed<T: Real>(x: FlexTensor) -> FlexTensor {
    let (values, start) = (x.storage::<T>(), x.layout().start_offset());
    let mut sum = vec![T::ZERO];
    if packed(&x) {
        fold_rows::<T, Sum>(values, start, Axes::new(), x.layout().num_elements(), &mut sum);
        return dense(sum, &[1], x.dtype());
    }
    let (order, rank) = storage_order(&x);
    let mut axes = axes_in(&x, order[..rank].iter().copied());
    let (length, [stride]) = axes.pop();
    if stride != 1 {
        return sum_typed::<T>(contiguous(x));
    }
    let mut sums = take::<T>(axes.lengths().iter().product());
    fold_rows::<T, Sum>(values, start, axes, length, &mut sums);
    fold_rows::<T, Sum>(&sums, 0, Axes::new(), sums.len(), &mut sum);
    dense(sum, &[1], x.dtype())
}

fn axes_in(x: &FlexTensor, order: impl Iterator<Item = usize>) -> Axes<1> {
    let mut axes = Axes::new();
    for axis in order {
        axes.push(x.layout().shape()[axis], [x.layout().strides()[axis]]);
    }
    axes
}

fn along<F: Fold>(
    x: FlexTensor,
    dim: usize,
    otherwise: fn(FlexTensor, usize) -> FlexTensor,
) -> FlexTensor {
    match x.dtype() {
        _ if unfit(&x) || dim >= x.layout().num_dims() => otherwise(x, dim),
        DType::F32 => along_typed::<f32, F>(x, dim),
        DType::F64 => along_typed::<f64, F>(x, dim),
        _ => otherwise(x, dim),
    }
}

fn along_typed<T: Real, F: Fold>(x: FlexTensor, dim: usize) -> FlexTensor {
    let (length, stride) = (x.layout().shape()[dim], x.layout().strides()[dim]);
    if length == 1 {
        return x;
    }
    // Results are in the order that the elements have in memory.
    let (order, rank) = storage_order(&x);
    let kept = order[..rank].iter().copied().filter(|axis| *axis != dim);
    let mut axes = axes_in(&x, kept.clone());
    let (values, start) = (x.storage::<T>(), x.layout().start_offset());
    let mut folds = take::<T>(axes.lengths().iter().product());
    if stride == 1 {
        fold_rows::<T, F>(values, start, axes, length, &mut folds);
    } else {
        let (width, [inner]) = axes.pop();
        if inner != 1 {
            return along_typed::<T, F>(contiguous(x), dim);
        }
        let room = folds.as_mut_slice();
        vectorized(
            #[inline(always)]
            move || {
                for (folds, [at]) in room.chunks_exact_mut(width).zip(axes.offsets([start])) {
                    fold_columns::<T, F>(values, at, (length, stride), folds);
                }
            },
        );
    }
    let mut shape = [1; MAX_RANK];
    let mut strides = vec![1; rank];
    let mut next = 1;
    axes_of(&x).zip(&mut shape).for_each(|((length, _), of_fold)| *of_fold = length);
    shape[dim] = 1;
    for axis in kept.rev() {
        strides[axis] = next;
        next *= shape[axis] as isize;
    }
    let layout = Layout::new(shape_of(&shape[..rank]), strides, 0);
    contiguous(strided(folds, layout, x.dtype()))
}
