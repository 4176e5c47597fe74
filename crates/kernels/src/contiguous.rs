//! Copies of tensors into the order of their axes.

use burn_backend::{BoolStore, DType};
use burn_flex::{FlexTensor, Layout};
use burn_std::Shape;

use crate::element::{Number, dense};
use crate::pool::{recycle, take};
use crate::strides::{Axes, MAX_RANK, axes_of, dense_layout, row_major, whole};
use crate::transpose::{Matrix, transpose};

/// The same tensor with its elements in order and nothing else in its buffer: itself where it is so.
pub fn contiguous(x: FlexTensor) -> FlexTensor {
    if whole(&x) && row_major(&x) {
        if x.is_contiguous() {
            return x;
        }
        // Axes of length 1 may have any stride.
        let layout = dense_layout(x.layout().shape().as_slice());
        return x.with_layout(layout);
    }
    if x.layout().num_dims() > MAX_RANK || x.layout().num_elements() == 0 {
        return x.to_contiguous();
    }
    let copy = match x.dtype() {
        DType::F32 => copied::<f32>(&x),
        DType::F64 => copied::<f64>(&x),
        DType::I64 | DType::U64 => copied::<u64>(&x),
        DType::I32 | DType::U32 => copied::<u32>(&x),
        DType::F16 | DType::BF16 | DType::I16 | DType::U16 => copied::<u16>(&x),
        DType::I8 | DType::U8 | DType::Bool(BoolStore::Native | BoolStore::U8) => copied::<u8>(&x),
        _ => x.to_contiguous(),
    };
    recycle(x);
    copy
}

/// The same elements, in order, in another shape; a view where the strides allow for it.
pub fn reshape(x: FlexTensor, shape: Shape) -> FlexTensor {
    let lengths = shape.as_slice();
    if x.layout().num_elements() == 0 || x.layout().num_dims().max(lengths.len()) > MAX_RANK {
        return x.reshape(shape);
    }
    assert_eq!(
        x.layout().num_elements(),
        shape.num_elements(),
        "a reshaped tensor has as many elements as before"
    );
    let offset = x.layout().start_offset();
    if row_major(&x) {
        let strides = dense_layout(lengths).strides().to_vec();
        return x.with_layout(Layout::new(shape, strides, offset));
    }
    match split(&x, lengths) {
        Some(strides) => x.with_layout(Layout::new(shape, strides, offset)),
        None => contiguous(x).with_layout(dense_layout(lengths)),
    }
}

/// The strides of a tensor's elements in another shape, if there are any.
fn split(x: &FlexTensor, lengths: &[usize]) -> Option<Vec<isize>> {
    let mut axes = Axes::new();
    axes_of(x).for_each(|(length, stride)| axes.push(length, [stride]));
    let mut strides = vec![1; lengths.len()];
    let (mut left, [mut next]) = axes.pop();
    for (stride, &length) in strides.iter_mut().zip(lengths).rev() {
        if left == 1 && length != 1 {
            (left, [next]) = axes.pop();
        }
        *stride = next;
        if left % length != 0 {
            return None;
        }
        left /= length;
        next *= length as isize;
    }
    Some(strides)
}

fn copied<T: Number>(x: &FlexTensor) -> FlexTensor {
    let mut axes = Axes::new();
    axes_of(x).for_each(|(length, stride)| axes.push(length, [stride]));
    let mut copy = take::<T>(x.layout().num_elements());
    copy_by_strides(bytemuck::cast_slice(x.bytes()), x.layout().start_offset(), axes, &mut copy);
    dense(copy, x.layout().shape().as_slice(), x.dtype())
}

/// Copies what the axes walk over, in order; `copy` is as long as they say.
fn copy_by_strides<T: Number>(source: &[T], start: usize, axes: Axes<1>, copy: &mut [T]) {
    let mut outer = axes;
    let (length, [stride]) = outer.pop();
    let rows = copy.chunks_exact_mut(length);
    match stride {
        1 => {
            for (row, [at]) in rows.zip(outer.offsets([start])) {
                row.copy_from_slice(&source[at..at + length]);
            }
        }
        0 => {
            for (row, [at]) in rows.zip(outer.offsets([start])) {
                row.fill(source[at]);
            }
        }
        _ => match transposed_axis(&axes) {
            Some(axis) => copy_transposed(source, start, &axes, axis, copy),
            None => {
                for (row, [at]) in rows.zip(outer.offsets([start])) {
                    for (i, value) in row.iter_mut().enumerate() {
                        *value = source[(at as isize + i as isize * stride) as usize];
                    }
                }
            }
        },
    }
}

/// The axis other than the innermost that neighbours in memory lie along.
fn transposed_axis(axes: &Axes<1>) -> Option<usize> {
    axes.strides()[..axes.rank() - 1].iter().position(|[stride]| *stride == 1)
}

/// Copies matrices whose columns are without gaps along an axis.
fn copy_transposed<T: Number>(
    source: &[T],
    start: usize,
    axes: &Axes<1>,
    axis: usize,
    copy: &mut [T],
) {
    let (lengths, strides) = (axes.lengths(), axes.strides());
    let last = lengths.len() - 1;
    // The strides of the copy, whose axes are in order.
    let mut strides_in_copy = [1; MAX_RANK];
    for axis in (0..last).rev() {
        strides_in_copy[axis] = strides_in_copy[axis + 1] * lengths[axis + 1] as isize;
    }
    let mut outer = Axes::new();
    for other in (0..last).filter(|other| *other != axis) {
        outer.push(lengths[other], [strides[other][0], strides_in_copy[other]]);
    }
    let matrix = Matrix {
        rows: lengths[axis],
        columns: lengths[last],
        column_stride: strides[last][0],
        row_stride_in_copy: strides_in_copy[axis] as usize,
    };
    transpose(source, start, copy, matrix, outer);
}
