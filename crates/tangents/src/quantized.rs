//! Quantised tensors: the backend's own, without derivatives. Operations that give floats dequantise
//! first, by burn's defaults.

use burn::tensor::backend::ExecutionError;
use burn::tensor::ops::{BoolTensor, Device, FloatTensor, IntTensor, QTensorOps, QuantizedTensor};
use burn::tensor::quantization::{QuantScheme, QuantizationParametersPrimitive};
use burn::tensor::{BoolDType, FloatDType, IntDType, Shape, Slice, TensorData};

use crate::delegate::delegate;
use crate::recording::{RecordedTensor, Recording};
use crate::{DualTensor, Elementwise, Tangents};

/// The operations of a decorator that makes its float tensors of the backend's by `$made`, and takes
/// the backend's out of them by `$value`.
macro_rules! quantized {
    ($Decorator:ident, $made:path, |$x:ident| $value:expr) => {
        impl<B: Elementwise> QTensorOps<Self> for $Decorator<B> {
            delegate! {
                fn q_from_data(data: TensorData, device: &Device<B>) -> QuantizedTensor<B>;
                fn q_device(tensor: &QuantizedTensor<B>) -> Device<B>;
                fn q_to_device(tensor: QuantizedTensor<B>, device: &Device<B>) -> QuantizedTensor<B>;
                fn q_reshape(tensor: QuantizedTensor<B>, shape: Shape) -> QuantizedTensor<B>;
                fn q_detach(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
                fn q_set_require_grad(tensor: QuantizedTensor<B>, require_grad: bool) -> QuantizedTensor<B>;
                fn q_is_require_grad(tensor: &QuantizedTensor<B>) -> bool;
                fn q_expand(tensor: QuantizedTensor<B>, shape: Shape) -> QuantizedTensor<B>;
                fn q_transpose(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
                fn q_swap_dims(tensor: QuantizedTensor<B>, dim1: usize, dim2: usize) -> QuantizedTensor<B>;
                fn q_permute(tensor: QuantizedTensor<B>, axes: &[usize]) -> QuantizedTensor<B>;
                fn q_flip(tensor: QuantizedTensor<B>, axes: &[usize]) -> QuantizedTensor<B>;
                fn q_select(
                    tensor: QuantizedTensor<B>,
                    dim: usize,
                    indices: IntTensor<B>,
                ) -> QuantizedTensor<B>;
                fn q_slice(tensor: QuantizedTensor<B>, slices: &[Slice]) -> QuantizedTensor<B>;
                fn q_gather(
                    dim: usize,
                    tensor: QuantizedTensor<B>,
                    indices: IntTensor<B>,
                ) -> QuantizedTensor<B>;
                fn q_repeat_dim(tensor: QuantizedTensor<B>, dim: usize, times: usize) -> QuantizedTensor<B>;
                fn q_abs(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
                fn q_cat(tensors: Vec<QuantizedTensor<B>>, dim: usize) -> QuantizedTensor<B>;
                fn q_argmax(tensor: QuantizedTensor<B>, dim: usize, out_dtype: IntDType) -> IntTensor<B>;
                fn q_argtopk(
                    tensor: QuantizedTensor<B>,
                    dim: usize,
                    k: usize,
                    out_dtype: IntDType,
                ) -> IntTensor<B>;
                fn q_topk(tensor: QuantizedTensor<B>, dim: usize, k: usize) -> QuantizedTensor<B>;
                fn q_argmin(tensor: QuantizedTensor<B>, dim: usize, out_dtype: IntDType) -> IntTensor<B>;
                fn q_max(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
                fn q_max_dim(tensor: QuantizedTensor<B>, dim: usize) -> QuantizedTensor<B>;
                fn q_max_dim_with_indices(
                    tensor: QuantizedTensor<B>,
                    dim: usize,
                    out_dtype: IntDType,
                ) -> (QuantizedTensor<B>, IntTensor<B>);
                fn q_min(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
                fn q_min_dim(tensor: QuantizedTensor<B>, dim: usize) -> QuantizedTensor<B>;
                fn q_min_dim_with_indices(
                    tensor: QuantizedTensor<B>,
                    dim: usize,
                    out_dtype: IntDType,
                ) -> (QuantizedTensor<B>, IntTensor<B>);
                fn q_max_abs(tensor: QuantizedTensor<B>) -> QuantizedTensor<B>;
                fn q_max_abs_dim(tensor: QuantizedTensor<B>, dim: usize) -> QuantizedTensor<B>;
                fn q_any(tensor: QuantizedTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
                fn q_any_dim(tensor: QuantizedTensor<B>, dim: usize, out_dtype: BoolDType) -> BoolTensor<B>;
                fn q_all(tensor: QuantizedTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
                fn q_all_dim(tensor: QuantizedTensor<B>, dim: usize, out_dtype: BoolDType) -> BoolTensor<B>;
                fn q_sort(tensor: QuantizedTensor<B>, dim: usize, descending: bool) -> QuantizedTensor<B>;
                fn q_sort_with_indices(
                    tensor: QuantizedTensor<B>,
                    dim: usize,
                    descending: bool,
                    out_dtype: IntDType,
                ) -> (QuantizedTensor<B>, IntTensor<B>);
                fn q_argsort(
                    tensor: QuantizedTensor<B>,
                    dim: usize,
                    descending: bool,
                    out_dtype: IntDType,
                ) -> IntTensor<B>;
            }

            async fn q_into_data(tensor: QuantizedTensor<Self>) -> Result<TensorData, ExecutionError> {
                B::q_into_data(tensor).await
            }

            fn quantize(
                tensor: FloatTensor<Self>,
                scheme: &QuantScheme,
                qparams: QuantizationParametersPrimitive<Self>,
            ) -> QuantizedTensor<Self> {
                let value = |$x: FloatTensor<Self>| $value;
                let qparams = QuantizationParametersPrimitive { scales: value(qparams.scales) };
                B::quantize(value(tensor), scheme, qparams)
            }

            fn quantize_dynamic($x: FloatTensor<Self>, scheme: &QuantScheme) -> QuantizedTensor<Self> {
                B::quantize_dynamic($value, scheme)
            }

            fn dequantize(tensor: QuantizedTensor<Self>, dtype: FloatDType) -> FloatTensor<Self> {
                $made(B::dequantize(tensor, dtype))
            }
        }
    };
}

quantized!(Tangents, DualTensor::constant, |tensor| tensor.primal);
quantized!(Recording, RecordedTensor::Known, |tensor| tensor.known("quantisation"));
