//! Tensors joined, and parts of a tensor replaced.

use burn_backend::ops::FloatTensorOps;
use burn_backend::{BoolStore, DType};
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
    let length: usize = shape[dim..].iter().product();
    let mut from = 0;
    for x in &tensors {
        // What is without gaps in both.
        let run: usize = x.layout().shape().as_slice()[dim..].iter().product();
        let start = x.layout().start_offset();
        let source = &bytemuck::cast_slice::<u8, T>(x.bytes())[start..];
        if run > 0 && length > 0 {
            for (row, run_of_x) in values.chunks_exact_mut(length).zip(source.chunks_exact(run)) {
                row[from..from + run].copy_from_slice(run_of_x);
            }
        }
        from += run;
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
    Flex::float_slice_assign(contiguous(x), slices, value)
}
