//! The way of an operation's arguments down to the backend where the tensors are, and of its result
//! up again.

use core::ops::Range;
use core::pin::Pin;

use burn::backend::flex::{FlexDevice, FlexQTensor, FlexTensor};
use burn::backend::{Flex, Wgpu};
use burn::tensor::backend::{Backend, BackendTypes, ExecutionError};
use burn::tensor::ops::{
    AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConv2dBackward,
    DeformConvOptions, GridSampleOptions, InterpolateOptions, MaxPool1dBackward,
    MaxPool1dWithIndices, MaxPool2dBackward, MaxPool2dWithIndices, UnfoldOptions,
};
use burn::tensor::quantization::{QuantScheme, QuantizationParametersPrimitive};
use burn::tensor::{
    BoolDType, Distribution, FloatDType, IndexingUpdateOp, IntDType, Scalar, Shape, TensorData,
};

use crate::tensor::{On, two_devices};
use crate::{Compute, ComputeDevice, ComputeQTensor, ComputeTensor, Place};

/// A backend that [`Compute`] passes operations on to.
pub(crate) trait Engine: Backend {
    fn tensor(tensor: ComputeTensor) -> Self::FloatTensorPrimitive;
    fn tensor_ref(tensor: &ComputeTensor) -> &Self::FloatTensorPrimitive;
    fn quantized(tensor: ComputeQTensor) -> Self::QuantizedTensorPrimitive;
    fn quantized_ref(tensor: &ComputeQTensor) -> &Self::QuantizedTensorPrimitive;
    /// # Panics
    /// If the device is another backend's.
    fn device(device: &ComputeDevice) -> &Self::Device;
}

/// An argument of an operation.
pub(crate) trait Argument {
    /// Where the operation is to be done, if this argument tells.
    fn place(&self) -> Option<Place> {
        None
    }
}

/// An argument as backend `E` takes it.
pub(crate) trait Lower<E: Engine>: Argument {
    type Lowered;
    fn lower(self) -> Self::Lowered;
}

/// A result of backend `E` as `T`, which is [`Compute`]'s.
pub(crate) trait Raise<E, T> {
    fn raise(self) -> T;
}

/// # Panics
/// If no argument is a tensor or a device.
pub(crate) fn place(told: &[Option<Place>]) -> Place {
    told.iter().flatten().copied().next().expect("an operation on a tensor or a device")
}

/// What is read of a tensor that moves to another place.
///
/// # Panics
/// If the device that it is on fails.
pub(crate) fn carried(
    reading: impl Future<Output = Result<TensorData, ExecutionError>>,
) -> TensorData {
    pollster::block_on(reading).unwrap_or_else(|error| panic!("a tensor cannot be moved: {error}"))
}

/// What a reading of a tensor is: boxed, so that it is no generic code where it is awaited.
pub(crate) type Reading<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// `$body` with `$Engine` as the backend at a place: the one list of them.
macro_rules! engine {
    ($place:expr, $Engine:ident => $body:expr) => {
        match $place {
            $crate::Place::Cpu => {
                type $Engine = burn::backend::Flex;
                $body
            }
            $crate::Place::Wgpu => {
                type $Engine = burn::backend::Wgpu;
                $body
            }
            #[cfg(feature = "cuda")]
            $crate::Place::Cuda => {
                type $Engine = burn::backend::Cuda;
                $body
            }
            #[cfg(feature = "rocm")]
            $crate::Place::Rocm => {
                type $Engine = burn::backend::Rocm;
                $body
            }
        }
    };
}

/// An operation at a place.
macro_rules! on {
    ($place:expr, $name:ident($($argument:expr),*)) => {
        $crate::dispatch::engine!($place, E => $crate::dispatch::Raise::<E, _>::raise(
            E::$name($($crate::dispatch::Lower::<E>::lower($argument)),*)
        ))
    };
}

/// Functions of these signatures that call a kernel of ours on the CPU, and the one of the same name
/// elsewhere.
macro_rules! with_kernels {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) => $kernel:path;)*) => {
        $(
            fn $name($($argument: $type),*) -> burn::tensor::ops::FloatTensor<Self> {
                let told = [$($crate::dispatch::Argument::place(&$argument)),*];
                match $crate::dispatch::place(&told) {
                    $crate::Place::Cpu => {
                        type Cpu = burn::backend::Flex;
                        $kernel($($crate::dispatch::Lower::<Cpu>::lower($argument)),*).into()
                    }
                    place => $crate::dispatch::on!(place, $name($($argument),*)),
                }
            }
        )*
    };
}

/// A tensor on a device: moved by its own backend, or read and made anew by another.
macro_rules! moved {
    ($tensor:ident, $device:ident, $moved:ident, $read:ident, $made:ident) => {
        match $tensor.place() == $device.place() {
            true => $crate::dispatch::on!($tensor.place(), $moved($tensor, $device)),
            false => Self::$made($crate::dispatch::carried(Self::$read($tensor)), $device),
        }
    };
}

/// Functions of these signatures that call the one of the same name where their arguments are.
macro_rules! dispatch {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $returned:ty;)*) => {
        $(
            fn $name($($argument: $type),*) -> $returned {
                let told = [$($crate::dispatch::Argument::place(&$argument)),*];
                $crate::dispatch::on!($crate::dispatch::place(&told), $name($($argument),*))
            }
        )*
    };
}

/// The future of an operation where its first argument is.
macro_rules! read {
    ($name:ident($tensor:ident $(, $argument:expr)*)) => {{
        let reading: $crate::dispatch::Reading<_> =
            $crate::dispatch::engine!($tensor.place(), E => {
                let reading = E::$name(
                    $crate::dispatch::Lower::<E>::lower($tensor)
                    $(, $crate::dispatch::Lower::<E>::lower($argument))*
                );
                Box::pin(async move { $crate::dispatch::Raise::<E, _>::raise(reading.await) })
            });
        reading
    }};
}

pub(crate) use {dispatch, engine, moved, on, read, with_kernels};

impl Engine for Flex {
    fn tensor(tensor: ComputeTensor) -> FlexTensor {
        tensor.into_cpu().unwrap_or_else(|tensor| two_devices(tensor.place()))
    }

    fn tensor_ref(tensor: &ComputeTensor) -> &FlexTensor {
        tensor.cpu()
    }

    fn quantized(tensor: ComputeQTensor) -> FlexQTensor {
        tensor.into_cpu().unwrap_or_else(|tensor| two_devices(tensor.place()))
    }

    fn quantized_ref(tensor: &ComputeQTensor) -> &FlexQTensor {
        tensor.cpu()
    }

    fn device(device: &ComputeDevice) -> &FlexDevice {
        match device {
            ComputeDevice::Cpu => &FlexDevice,
            other => panic!("a tensor on the CPU in an operation on {other:?}"),
        }
    }
}

impl Raise<Flex, ComputeTensor> for FlexTensor {
    fn raise(self) -> ComputeTensor {
        self.into()
    }
}

impl Raise<Flex, ComputeQTensor> for FlexQTensor {
    fn raise(self) -> ComputeQTensor {
        self.into()
    }
}

impl Raise<Flex, ComputeDevice> for FlexDevice {
    fn raise(self) -> ComputeDevice {
        ComputeDevice::Cpu
    }
}

/// A backend whose tensors are [erased](crate::tensor::Erased).
macro_rules! away {
    ($Engine:ty, $place:ident) => {
        impl Engine for $Engine {
            fn tensor(tensor: ComputeTensor) -> On<Self> {
                tensor.into_away()
            }

            fn tensor_ref(tensor: &ComputeTensor) -> &On<Self> {
                tensor.away()
            }

            fn quantized(tensor: ComputeQTensor) -> On<Self> {
                tensor.into_away()
            }

            fn quantized_ref(tensor: &ComputeQTensor) -> &On<Self> {
                tensor.away()
            }

            fn device(device: &ComputeDevice) -> &Self::Device {
                match device {
                    ComputeDevice::$place(device) => device,
                    other => panic!("a tensor of {:?} in an operation on {other:?}", Place::$place),
                }
            }
        }

        impl Raise<$Engine, ComputeTensor> for On<$Engine> {
            fn raise(self) -> ComputeTensor {
                ComputeTensor::from_away(Place::$place, self)
            }
        }

        impl Raise<$Engine, ComputeQTensor> for On<$Engine> {
            fn raise(self) -> ComputeQTensor {
                ComputeQTensor::from_away(Place::$place, self)
            }
        }

        impl Raise<$Engine, ComputeDevice> for <$Engine as BackendTypes>::Device {
            fn raise(self) -> ComputeDevice {
                ComputeDevice::$place(self)
            }
        }
    };
}

away!(Wgpu, Wgpu);
#[cfg(feature = "cuda")]
away!(burn::backend::Cuda, Cuda);
#[cfg(feature = "rocm")]
away!(burn::backend::Rocm, Rocm);

impl Argument for ComputeTensor {
    fn place(&self) -> Option<Place> {
        Some(ComputeTensor::place(self))
    }
}

impl<E: Engine> Lower<E> for ComputeTensor {
    type Lowered = E::FloatTensorPrimitive;
    fn lower(self) -> Self::Lowered {
        E::tensor(self)
    }
}

impl<'a, E: Engine> Lower<E> for &'a ComputeTensor {
    type Lowered = &'a E::FloatTensorPrimitive;
    fn lower(self) -> Self::Lowered {
        E::tensor_ref(self)
    }
}

impl Argument for ComputeQTensor {
    fn place(&self) -> Option<Place> {
        Some(ComputeQTensor::place(self))
    }
}

impl<E: Engine> Lower<E> for ComputeQTensor {
    type Lowered = E::QuantizedTensorPrimitive;
    fn lower(self) -> Self::Lowered {
        E::quantized(self)
    }
}

impl<'a, E: Engine> Lower<E> for &'a ComputeQTensor {
    type Lowered = &'a E::QuantizedTensorPrimitive;
    fn lower(self) -> Self::Lowered {
        E::quantized_ref(self)
    }
}

impl Argument for ComputeDevice {
    fn place(&self) -> Option<Place> {
        Some(ComputeDevice::place(self))
    }
}

impl<'a, E: Engine> Lower<E> for &'a ComputeDevice {
    type Lowered = &'a E::Device;
    fn lower(self) -> Self::Lowered {
        E::device(self)
    }
}

impl<T: Argument + ?Sized> Argument for &T {
    fn place(&self) -> Option<Place> {
        (**self).place()
    }
}

impl<T: Argument> Argument for Option<T> {
    fn place(&self) -> Option<Place> {
        self.as_ref().and_then(Argument::place)
    }
}

impl<T: Lower<E>, E: Engine> Lower<E> for Option<T> {
    type Lowered = Option<T::Lowered>;
    fn lower(self) -> Self::Lowered {
        self.map(Lower::lower)
    }
}

impl<T: Argument> Argument for Vec<T> {
    fn place(&self) -> Option<Place> {
        self.first().and_then(Argument::place)
    }
}

impl<T: Lower<E>, E: Engine> Lower<E> for Vec<T> {
    type Lowered = Vec<T::Lowered>;
    fn lower(self) -> Self::Lowered {
        self.into_iter().map(Lower::lower).collect()
    }
}

impl Argument for QuantizationParametersPrimitive<Compute> {}

impl<E: Engine> Lower<E> for QuantizationParametersPrimitive<Compute> {
    type Lowered = QuantizationParametersPrimitive<E>;
    fn lower(self) -> Self::Lowered {
        QuantizationParametersPrimitive { scales: E::tensor(self.scales) }
    }
}

/// Arguments that are the same for every backend.
macro_rules! plain {
    ($($type:ty),* $(,)?) => {
        $(
            impl Argument for $type {}

            impl<E: Engine> Lower<E> for $type {
                type Lowered = Self;
                fn lower(self) -> Self {
                    self
                }
            }
        )*
    };
}

plain!(
    usize,
    bool,
    f64,
    [usize; 2],
    Range<i64>,
    Shape,
    Scalar,
    TensorData,
    Distribution,
    FloatDType,
    IntDType,
    BoolDType,
    IndexingUpdateOp,
    GridSampleOptions,
    InterpolateOptions,
    UnfoldOptions,
    AttentionModuleOptions,
    DeformConvOptions<2>,
    ConvOptions<1>,
    ConvOptions<2>,
    ConvOptions<3>,
    ConvTransposeOptions<1>,
    ConvTransposeOptions<2>,
    ConvTransposeOptions<3>,
);

impl<T> Argument for [T] {}

impl<T, E: Engine> Lower<E> for &[T] {
    type Lowered = Self;
    fn lower(self) -> Self {
        self
    }
}

impl Argument for QuantScheme {}

impl<E: Engine> Lower<E> for &QuantScheme {
    type Lowered = Self;
    fn lower(self) -> Self {
        self
    }
}

impl<E> Raise<E, bool> for bool {
    fn raise(self) -> bool {
        self
    }
}

impl<E, T, F> Raise<E, Result<T, F>> for Result<T, F> {
    fn raise(self) -> Self {
        self
    }
}

impl<E, A, B, X: Raise<E, A>, Y: Raise<E, B>> Raise<E, (A, B)> for (X, Y) {
    fn raise(self) -> (A, B) {
        (self.0.raise(), self.1.raise())
    }
}

/// Results of several tensors.
macro_rules! structs {
    ($($Name:ident { $($field:ident),* })*) => {
        $(
            impl<E: Engine> Raise<E, $Name<Compute>> for $Name<E>
            where
                E::FloatTensorPrimitive: Raise<E, ComputeTensor>,
                E::IntTensorPrimitive: Raise<E, ComputeTensor>,
            {
                fn raise(self) -> $Name<Compute> {
                    $Name::new($(Raise::<E, _>::raise(self.$field)),*)
                }
            }
        )*
    };
}

structs! {
    MaxPool1dWithIndices { output, indices }
    MaxPool1dBackward { x_grad }
    MaxPool2dWithIndices { output, indices }
    MaxPool2dBackward { x_grad }
    DeformConv2dBackward { x_grad, offset_grad, weight_grad, mask_grad, bias_grad }
}

impl<E, A, X: Raise<E, A>> Raise<E, Option<A>> for Option<X> {
    fn raise(self) -> Option<A> {
        self.map(Raise::raise)
    }
}
