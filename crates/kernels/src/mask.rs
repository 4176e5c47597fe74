//! Elements replaced where a mask says so; axes of length 1 are broadcast.

use burn_backend::ops::FloatTensorOps;
use burn_backend::{BoolStore, DType, Scalar};
use burn_flex::ops::expand::expand;
use burn_flex::{Flex, FlexTensor};

use crate::arithmetic::{combine_rows, update_rows};
use crate::broadcast::{Lengths, broadcast_shape};
use crate::contiguous::contiguous;
use crate::element::{Real, dense, shape_of, vectorized};
use crate::pool::{recycle, take};
use crate::strides::{Axes, row_major, whole};

/// `value` where the mask is true, else x.
pub fn mask_fill(x: FlexTensor, mask: FlexTensor, value: Scalar) -> FlexTensor {
    let Some(shape) = broadcast_shape([&x, &mask]).filter(|_| of_bytes(&mask)) else {
        return Flex::float_mask_fill(x, mask, value);
    };
    match x.dtype() {
        DType::F32 => fill(x, mask, f32::nearest(value.elem()), &shape),
        DType::F64 => fill::<f64>(x, mask, value.elem(), &shape),
        _ => Flex::float_mask_fill(x, mask, value),
    }
}

/// The elements of `value` where the mask is true, else those of x.
pub fn mask_where(x: FlexTensor, mask: FlexTensor, value: FlexTensor) -> FlexTensor {
    let Some(shape) = broadcast_shape([&x, &mask, &value]).filter(|_| of_bytes(&mask)) else {
        return Flex::float_mask_where(x, mask, value);
    };
    match (x.dtype(), value.dtype()) {
        (DType::F32, DType::F32) => replace::<f32>(x, mask, value, &shape),
        (DType::F64, DType::F64) => replace::<f64>(x, mask, value, &shape),
        _ => Flex::float_mask_where(x, mask, value),
    }
}

fn of_bytes(mask: &FlexTensor) -> bool {
    matches!(mask.dtype(), DType::Bool(BoolStore::Native | BoolStore::U8))
}

/// A tensor with a step of 0 or 1 along the rows of a shape, copied if need be.
fn with_rows(x: FlexTensor, shape: &Lengths) -> FlexTensor {
    match shape.axes([&x]).pop() {
        (_, [0 | 1]) => x,
        _ => contiguous(x),
    }
}

/// Whether the result, of some shape, may be written over a tensor.
fn in_place(x: &FlexTensor, shape: &Lengths) -> bool {
    let full = x.layout().shape().as_slice() == shape.lengths();
    full && x.is_unique() && whole(x) && row_major(x)
}

fn fill<T: Real>(x: FlexTensor, mask: FlexTensor, value: T, shape: &Lengths) -> FlexTensor {
    let (mut x, mask) = (with_rows(x, shape), with_rows(mask, shape));
    let pick = move |x, masked| if masked != 0 { value } else { x };
    let start = mask.layout().start_offset();
    if in_place(&x, shape) {
        let axes = shape.axes([&mask]);
        update_rows(x.storage_mut::<T>(), mask.storage::<u8>(), start, axes, pick);
        return x;
    }
    let mut values = take::<T>(shape.lengths().iter().product());
    let starts = [x.layout().start_offset(), start];
    let axes = shape.axes([&x, &mask]);
    combine_rows(&mut values, (x.storage(), mask.storage::<u8>()), starts, axes, pick);
    let filled = dense(values, shape.lengths(), x.dtype());
    recycle(x);
    filled
}

fn replace<T: Real>(
    x: FlexTensor,
    mask: FlexTensor,
    value: FlexTensor,
    shape: &Lengths,
) -> FlexTensor {
    let full = |x: &FlexTensor| x.layout().shape().as_slice() == shape.lengths() && row_major(x);
    let mut x = if full(&x) { x } else { contiguous(expand(x, shape_of(shape.lengths()))) };
    let (mask, value) = (with_rows(mask, shape), with_rows(value, shape));
    let starts = [&mask, &value].map(|x| x.layout().start_offset());
    let axes = shape.axes([&mask, &value]);
    let others = Others { masks: mask.storage(), values: value.storage::<T>(), starts, axes };
    if x.is_unique() && whole(&x) {
        others.replace(None, x.storage_mut());
        return x;
    }
    let (start, len) = (x.layout().start_offset(), x.layout().num_elements());
    let mut replaced = take::<T>(len);
    others.replace(Some(&x.storage()[start..start + len]), &mut replaced);
    dense(replaced, shape.lengths(), x.dtype())
}

/// Masks and values by rows, each with a step of 0 or 1 along them.
struct Others<'a, T> {
    masks: &'a [u8],
    values: &'a [T],
    starts: [usize; 2],
    axes: Axes<2>,
}

impl<T: Real> Others<'_, T> {
    /// Replaces elements of the source, or in place.
    fn replace(mut self, source: Option<&[T]>, replaced: &mut [T]) {
        let (length, steps) = self.axes.pop();
        vectorized(
            #[inline(always)]
            move || {
                let rows = replaced.chunks_exact_mut(length).zip(self.axes.offsets(self.starts));
                for (index, (row, [at, at_value])) in rows.enumerate() {
                    if let Some(source) = source {
                        row.copy_from_slice(&source[index * length..][..length]);
                    }
                    let (masks, values) = (&self.masks[at..], &self.values[at_value..]);
                    match steps {
                        [0, _] if masks[0] == 0 => {}
                        [0, 0] => row.fill(values[0]),
                        [0, _] => row.copy_from_slice(&values[..length]),
                        [_, 0] => {
                            let value = values[0];
                            for (x, masked) in row.iter_mut().zip(&masks[..length]) {
                                *x = if *masked != 0 { value } else { *x };
                            }
                        }
                        _ => {
                            let others = masks[..length].iter().zip(&values[..length]);
                            for (x, (masked, value)) in row.iter_mut().zip(others) {
                                *x = if *masked != 0 { *value } else { *x };
                            }
                        }
                    }
                }
            },
        );
    }
}
