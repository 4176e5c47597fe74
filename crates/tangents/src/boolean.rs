//! Boolean operations: the backend's own.

use burn::tensor::backend::ExecutionError;
use burn::tensor::ops::{BoolTensor, BoolTensorOps, Device, FloatTensor, IntTensor};
use burn::tensor::{BoolDType, FloatDType, IntDType, Scalar, Shape, Slice, TensorData};

use crate::delegate::delegate;
use crate::recording::{RecordedTensor, Recording};
use crate::{DualTensor, Elementwise, Tangents};

/// The operations of a decorator that makes its float tensors of the backend's by `$made`.
macro_rules! truth_values {
    ($Decorator:ident, $made:path) => {
        impl<B: Elementwise> BoolTensorOps<Self> for $Decorator<B> {
            delegate! {
                fn bool_empty(shape: Shape, device: &Device<B>, dtype: BoolDType) -> BoolTensor<B>;
                fn bool_zeros(shape: Shape, device: &Device<B>, dtype: BoolDType) -> BoolTensor<B>;
                fn bool_ones(shape: Shape, device: &Device<B>, dtype: BoolDType) -> BoolTensor<B>;
                fn bool_from_data(data: TensorData, device: &Device<B>) -> BoolTensor<B>;
                fn bool_into_int(tensor: BoolTensor<B>, out_dtype: IntDType) -> IntTensor<B>;
                fn bool_device(tensor: &BoolTensor<B>) -> Device<B>;
                fn bool_to_device(tensor: BoolTensor<B>, device: &Device<B>) -> BoolTensor<B>;
                fn bool_reshape(tensor: BoolTensor<B>, shape: Shape) -> BoolTensor<B>;
                fn bool_slice(tensor: BoolTensor<B>, slices: &[Slice]) -> BoolTensor<B>;
                fn bool_slice_assign(
                    tensor: BoolTensor<B>,
                    slices: &[Slice],
                    value: BoolTensor<B>,
                ) -> BoolTensor<B>;
                fn bool_mask_where(
                    tensor: BoolTensor<B>,
                    mask: BoolTensor<B>,
                    value: BoolTensor<B>,
                ) -> BoolTensor<B>;
                fn bool_mask_fill(tensor: BoolTensor<B>, mask: BoolTensor<B>, value: Scalar) -> BoolTensor<B>;
                fn bool_gather(dim: usize, tensor: BoolTensor<B>, indices: IntTensor<B>) -> BoolTensor<B>;
                fn bool_scatter_or(
                    dim: usize,
                    tensor: BoolTensor<B>,
                    indices: IntTensor<B>,
                    value: BoolTensor<B>,
                ) -> BoolTensor<B>;
                fn bool_select(tensor: BoolTensor<B>, dim: usize, indices: IntTensor<B>) -> BoolTensor<B>;
                fn bool_select_or(
                    tensor: BoolTensor<B>,
                    dim: usize,
                    indices: IntTensor<B>,
                    value: BoolTensor<B>,
                ) -> BoolTensor<B>;
                fn bool_repeat_dim(tensor: BoolTensor<B>, dim: usize, times: usize) -> BoolTensor<B>;
                fn bool_cat(tensors: Vec<BoolTensor<B>>, dim: usize) -> BoolTensor<B>;
                fn bool_equal(lhs: BoolTensor<B>, rhs: BoolTensor<B>) -> BoolTensor<B>;
                fn bool_not_equal(lhs: BoolTensor<B>, rhs: BoolTensor<B>) -> BoolTensor<B>;
                fn bool_equal_elem(lhs: BoolTensor<B>, rhs: Scalar) -> BoolTensor<B>;
                fn bool_not_equal_elem(lhs: BoolTensor<B>, rhs: Scalar) -> BoolTensor<B>;
                fn bool_not(tensor: BoolTensor<B>) -> BoolTensor<B>;
                fn bool_and(lhs: BoolTensor<B>, rhs: BoolTensor<B>) -> BoolTensor<B>;
                fn bool_or(lhs: BoolTensor<B>, rhs: BoolTensor<B>) -> BoolTensor<B>;
                fn bool_xor(lhs: BoolTensor<B>, rhs: BoolTensor<B>) -> BoolTensor<B>;
                fn bool_transpose(tensor: BoolTensor<B>) -> BoolTensor<B>;
                fn bool_swap_dims(tensor: BoolTensor<B>, dim1: usize, dim2: usize) -> BoolTensor<B>;
                fn bool_permute(tensor: BoolTensor<B>, axes: &[usize]) -> BoolTensor<B>;
                fn bool_flip(tensor: BoolTensor<B>, axes: &[usize]) -> BoolTensor<B>;
                fn bool_any(tensor: BoolTensor<B>) -> BoolTensor<B>;
                fn bool_any_dim(tensor: BoolTensor<B>, dim: usize) -> BoolTensor<B>;
                fn bool_all(tensor: BoolTensor<B>) -> BoolTensor<B>;
                fn bool_all_dim(tensor: BoolTensor<B>, dim: usize) -> BoolTensor<B>;
                fn bool_expand(tensor: BoolTensor<B>, shape: Shape) -> BoolTensor<B>;
                fn bool_unfold(tensor: BoolTensor<B>, dim: usize, size: usize, step: usize) -> BoolTensor<B>;
            }

            async fn bool_into_data(tensor: BoolTensor<Self>) -> Result<TensorData, ExecutionError> {
                B::bool_into_data(tensor).await
            }

            async fn bool_argwhere(tensor: BoolTensor<B>, out_dtype: IntDType) -> IntTensor<B> {
                B::bool_argwhere(tensor, out_dtype).await
            }

            fn bool_into_float(tensor: BoolTensor<Self>, out_dtype: FloatDType) -> FloatTensor<Self> {
                $made(B::bool_into_float(tensor, out_dtype))
            }
        }
    };
}

truth_values!(Tangents, DualTensor::constant);
truth_values!(Recording, RecordedTensor::Known);
