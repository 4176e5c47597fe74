//! Tensors joined, and parts of a tensor replaced.

use burn_backend::ops::FloatTensorOps;
use burn_backend::{BoolStore, DType, Element};
use burn_flex::{Flex, FlexTensor};
use burn_std::Slice;

use crate::contiguous::contiguous;
use crate::element::{Number, dense};
use crate::pool::{recycle, take};
use crate::strides::{MAX_RANK, row_major};

/// The tensors one after the other along an axis, in which alone their shapes may differ.
pub fn cat(tensors: Vec<FlexTensor>, dim: usize) -> FlexTensor {
    if tensors.len() < 2 || !fit(&tensors, dim) {
        return burn_flex::ops::cat::cat(tensors, dim);
    }
    match tensors[0].dtype() {
        DType::F32 => joined::<f32>(tensors, dim),
        DType::F64 => joined::<f64>(tensors, dim),
        DType::I64 | DType::U64 => joined::<u64>(tensors, dim),
        DType::I32 | DType::U32 => joined::<u32>(tensors, dim),
        DType::U8 | DType::Bool(BoolStore::Native | BoolStore::U8) => joined::<u8>(tensors, dim),
        _ => burn_flex::ops::cat::cat(tensors, dim),
    }
}

/// Whether the types and the shapes but along an axis are the same.
fn fit(tensors: &[FlexTensor], dim: usize) -> bool {
    let first = tensors[0].layout().shape().as_slice();
    let alike = |x: &FlexTensor| {
        let shape = x.layout().shape().as_slice();
        x.dtype() == tensors[0].dtype()
            && shape.len() == first.len()
            && shape.iter().zip(first).enumerate().all(|(axis, (a, b))| axis == dim || a == b)
    };
    dim < first.len() && first.len() <= MAX_RANK && tensors.iter().all(alike)
}

fn joined<T: Number>(tensors: Vec<FlexTensor>, dim: usize) -> FlexTensor {
    let tensors: Vec<FlexTensor> =
        tensors.into_iter().map(|x| if row_major(&x) { x } else { contiguous(x) }).collect();
    let mut shape = [1; MAX_RANK];
    let shape = &mut shape[..tensors[0].layout().num_dims()];
    shape.copy_from_slice(tensors[0].layout().shape().as_slice());
    shape[dim] = tensors.iter().map(|x| x.layout().shape()[dim]).sum();
    let mut values = take::<T>(shape.iter().product());
    // What is without gaps in the result and in each tensor.
    let run_of = |shape: &[usize]| shape[dim..].iter().product::<usize>();
    let length = run_of(shape);
    let parts: Vec<(&[T], usize)> = tensors
        .iter()
        .map(|x| {
            let source = &bytemuck::cast_slice::<u8, T>(x.bytes())[x.layout().start_offset()..];
            (source, run_of(x.layout().shape().as_slice()))
        })
        .collect();
    // So many rows that what is written is still in the nearest cache when the next tensor is copied.
    let rows = (2048 / length.max(1)).max(1);
    for (index, block) in values.chunks_mut(rows * length.max(1)).enumerate() {
        let mut from = 0;
        for (source, run) in parts.iter().filter(|(_, run)| *run > 0) {
            let source = source[index * rows * run..].chunks_exact(*run);
            for (row, run_of_x) in block.chunks_exact_mut(length).zip(source) {
                row[from..from + run].copy_from_slice(run_of_x);
            }
            from += run;
        }
    }
    let result = dense(values, shape, tensors[0].dtype());
    tensors.into_iter().for_each(recycle);
    result
}

/// The tensor with a slice of it replaced by `value`, of the slice's shape.
pub fn slice_assign(x: FlexTensor, slices: &[Slice], value: FlexTensor) -> FlexTensor {
    // burn's copy is by runs where both are in order, or the value is one number.
    let one_number = value.layout().strides().iter().all(|stride| *stride == 0);
    let value = if one_number { value } else { contiguous(value) };
    let x = match x.dtype() {
        DType::F32 => apart::<f32>(contiguous(x)),
        DType::F64 => apart::<f64>(contiguous(x)),
        _ => x,
    };
    Flex::float_slice_assign(x, slices, value)
}

/// A tensor in order that nobody else holds.
fn apart<T: Number + Element>(x: FlexTensor) -> FlexTensor {
    if x.is_unique() {
        return x;
    }
    let mut values = take::<T>(x.layout().num_elements());
    values.copy_from_slice(x.storage());
    dense(values, x.layout().shape().as_slice(), x.dtype())
}
