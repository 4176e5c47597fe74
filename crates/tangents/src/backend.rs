//! What is no tensor operation: types, devices, names.

use burn::tensor::backend::{Backend, BackendTypes, DTypeUsageSet, ExecutionError};
use burn::tensor::ops::{TransactionOps, TransactionPrimitive, TransactionPrimitiveData};
use burn::tensor::{DType, TensorData};

use crate::recording::{RecordedTensor, Recording};
use crate::{DualTensor, Elementwise, Tangents};

/// A decorator of a backend with its float tensors, and how the backend's are taken out of them.
macro_rules! decorator {
    ($Decorator:ident, $Float:ident, $name:literal, |$x:ident| $value:expr) => {
        impl<B: Elementwise> BackendTypes for $Decorator<B> {
            type Device = B::Device;
            type FloatTensorPrimitive = $Float<B>;
            type FloatElem = B::FloatElem;
            type IntTensorPrimitive = B::IntTensorPrimitive;
            type IntElem = B::IntElem;
            type BoolTensorPrimitive = B::BoolTensorPrimitive;
            type BoolElem = B::BoolElem;
            type QuantizedTensorPrimitive = B::QuantizedTensorPrimitive;
        }

        impl<B: Elementwise> Backend for $Decorator<B> {
            fn ad_enabled(device: &Self::Device) -> bool {
                B::ad_enabled(device)
            }

            fn memory_persistent_allocations<
                Output: Send,
                Input: Send,
                Func: Fn(Input) -> Output + Send,
            >(
                device: &Self::Device,
                input: Input,
                func: Func,
            ) -> Output {
                B::memory_persistent_allocations(device, input, func)
            }

            fn memory_cleanup(device: &Self::Device) {
                B::memory_cleanup(device)
            }

            fn name(device: &Self::Device) -> String {
                format!(concat!($name, "<{}>"), B::name(device))
            }

            fn seed(device: &Self::Device, seed: u64) {
                B::seed(device, seed)
            }

            fn sync(device: &Self::Device) -> Result<(), ExecutionError> {
                B::sync(device)
            }

            fn staging<'a, Iter>(data: Iter, device: &Self::Device)
            where
                Iter: Iterator<Item = &'a mut TensorData>,
            {
                B::staging(data, device)
            }

            fn supports_dtype(device: &Self::Device, dtype: DType) -> bool {
                B::supports_dtype(device, dtype)
            }

            fn dtype_usage(device: &Self::Device, dtype: DType) -> DTypeUsageSet {
                B::dtype_usage(device, dtype)
            }

            fn device_count(type_id: u16) -> usize {
                B::device_count(type_id)
            }
        }

        impl<B: Elementwise> TransactionOps<Self> for $Decorator<B> {
            async fn tr_execute(
                transaction: TransactionPrimitive<Self>,
            ) -> Result<TransactionPrimitiveData, ExecutionError> {
                let floats = transaction.read_floats.into_iter().map(|$x| $value).collect();
                B::tr_execute(TransactionPrimitive::new(
                    floats,
                    transaction.read_qfloats,
                    transaction.read_ints,
                    transaction.read_bools,
                ))
                .await
            }
        }
    };
}

decorator!(Tangents, DualTensor, "tangents", |tensor| tensor.primal);
decorator!(Recording, RecordedTensor, "recording", |tensor| tensor.known("reading"));
