//! What is no tensor operation: types, devices, names, reading several tensors at once.

use burn::tensor::backend::{Backend, BackendTypes, DTypeUsageSet, ExecutionError};
use burn::tensor::ops::{
    FloatTensor, TransactionOps, TransactionPrimitive, TransactionPrimitiveData,
};
use burn::tensor::{BoolDType, DType, Element, TensorData};
use sharpscope_kernels as kernels;
use sharpscope_tangents::Elementwise;

use crate::dispatch::{Engine, Lower, Reading, engine, with_kernels};
use crate::{Compute, ComputeDevice, ComputeQTensor, ComputeTensor, Place};

impl BackendTypes for Compute {
    type Device = ComputeDevice;
    type FloatTensorPrimitive = ComputeTensor;
    type FloatElem = f32;
    type IntTensorPrimitive = ComputeTensor;
    type IntElem = i32;
    type BoolTensorPrimitive = ComputeTensor;
    type BoolElem = bool;
    type QuantizedTensorPrimitive = ComputeQTensor;
}

impl Backend for Compute {
    fn memory_cleanup(device: &ComputeDevice) {
        engine!(device.place(), E => E::memory_cleanup(E::device(device)))
    }

    fn name(device: &ComputeDevice) -> String {
        engine!(device.place(), E => E::name(E::device(device)))
    }

    fn seed(device: &ComputeDevice, seed: u64) {
        engine!(device.place(), E => E::seed(E::device(device), seed))
    }

    fn sync(device: &ComputeDevice) -> Result<(), ExecutionError> {
        engine!(device.place(), E => E::sync(E::device(device)))
    }

    fn staging<'a, Iter>(data: Iter, device: &ComputeDevice)
    where
        Iter: Iterator<Item = &'a mut TensorData>,
    {
        stage(data.collect(), device)
    }

    /// burn asks which truth values a device has and takes the first that it likes; here each device
    /// has those that its backend takes by itself.
    fn supports_dtype(device: &ComputeDevice, dtype: DType) -> bool {
        engine!(device.place(), E => match dtype {
            DType::Bool(_) => {
                let own: BoolDType = <<E as BackendTypes>::BoolElem as Element>::dtype().into();
                dtype == own.into()
            }
            _ => E::supports_dtype(E::device(device), dtype),
        })
    }

    fn dtype_usage(device: &ComputeDevice, dtype: DType) -> DTypeUsageSet {
        engine!(device.place(), E => E::dtype_usage(E::device(device), dtype))
    }

    fn device_count(type_id: u16) -> usize {
        let (place, type_id) = Place::of_type(type_id);
        engine!(place, E => E::device_count(type_id))
    }
}

fn stage(data: Vec<&mut TensorData>, device: &ComputeDevice) {
    engine!(device.place(), E => E::staging(data.into_iter(), E::device(device)))
}

impl TransactionOps<Self> for Compute {
    fn tr_execute(
        transaction: TransactionPrimitive<Self>,
    ) -> impl Future<Output = Result<TransactionPrimitiveData, ExecutionError>> + Send {
        let floats = transaction.read_floats.iter().chain(&transaction.read_ints);
        let tensors = floats.chain(&transaction.read_bools).map(ComputeTensor::place);
        let quantized = transaction.read_qfloats.iter().map(ComputeQTensor::place);
        let place = tensors.chain(quantized).next().unwrap_or(Place::Cpu);
        let reading: Reading<_> =
            engine!(place, E => Box::pin(E::tr_execute(on_engine::<E>(transaction))));
        reading
    }
}

fn on_engine<E>(transaction: TransactionPrimitive<Compute>) -> TransactionPrimitive<E>
where
    E: Engine<
            IntTensorPrimitive = <E as BackendTypes>::FloatTensorPrimitive,
            BoolTensorPrimitive = <E as BackendTypes>::FloatTensorPrimitive,
        >,
{
    TransactionPrimitive::new(
        Lower::<E>::lower(transaction.read_floats),
        Lower::<E>::lower(transaction.read_qfloats),
        Lower::<E>::lower(transaction.read_ints),
        Lower::<E>::lower(transaction.read_bools),
    )
}

impl Elementwise for Compute {
    with_kernels! {
        fn tanh_slope(y: FloatTensor<Self>) => kernels::tanh_slope;
        fn sum_of_products(
            a: FloatTensor<Self>,
            b: FloatTensor<Self>,
            c: FloatTensor<Self>,
            d: FloatTensor<Self>,
        ) => kernels::sum_of_products;
        fn softmax_tangent(
            p: FloatTensor<Self>,
            dx: FloatTensor<Self>,
            dim: usize,
        ) => kernels::softmax_tangent;
        fn log_softmax_tangent(
            p: FloatTensor<Self>,
            dx: FloatTensor<Self>,
            dim: usize,
        ) => kernels::log_softmax_tangent;
    }

    fn identity(tensor: &FloatTensor<Self>) -> Option<usize> {
        Some(tensor.identity())
    }
}
