//! Tensors on any device.

use core::any::Any;
use core::fmt::{Debug, Formatter, Result};
use std::sync::Arc;

use burn::backend::Wgpu;
use burn::backend::flex::{FlexQTensor, FlexTensor};
use burn::tensor::backend::BackendTypes;
use burn::tensor::quantization::{QTensorPrimitive, QuantScheme};
use burn::tensor::{DType, Shape, TensorMetadata};

use crate::Place;

/// A tensor of a GPU's backend: floats, whole numbers, truth values or quantised numbers.
pub(crate) type On<B> = <B as BackendTypes>::FloatTensorPrimitive;

/// A tensor whose type is forgotten: cloning and dropping one is generic code of the backend, which
/// every crate that holds a tensor would instantiate again.
///
/// Clones share one tensor; the last of them is it. So a backend that works in place where a tensor
/// has no other holder does so as if it had been held itself.
#[derive(Clone)]
pub(crate) struct Erased {
    place: Place,
    tensor: Arc<dyn Any + Send + Sync>,
}

/// Calls `$body` with `$tensor`, the tensor in its own type.
macro_rules! known {
    ($erased:expr, $tensor:ident => $body:expr) => {
        match $erased.place {
            Place::Cpu => unreachable!("tensors on the CPU keep their type"),
            Place::Wgpu => {
                let $tensor = $erased.get::<On<Wgpu>>();
                $body
            }
            #[cfg(feature = "cuda")]
            Place::Cuda => {
                let $tensor = $erased.get::<On<burn::backend::Cuda>>();
                $body
            }
            #[cfg(feature = "rocm")]
            Place::Rocm => {
                let $tensor = $erased.get::<On<burn::backend::Rocm>>();
                $body
            }
        }
    };
}

impl Erased {
    fn new<T: Send + Sync + 'static>(place: Place, tensor: T) -> Self {
        Self { place, tensor: Arc::new(tensor) }
    }

    /// # Panics
    /// If the tensor is of another type.
    fn get<T: 'static>(&self) -> &T {
        self.tensor.downcast_ref().unwrap_or_else(|| self.elsewhere())
    }

    /// # Panics
    /// As [`Erased::get`].
    fn take<T: Clone + Send + Sync + 'static>(self) -> T {
        let place = self.place;
        match self.tensor.downcast() {
            Ok(tensor) => Arc::unwrap_or_clone(tensor),
            Err(tensor) => Self { place, tensor }.elsewhere(),
        }
    }

    fn elsewhere(&self) -> ! {
        two_devices(self.place)
    }

    /// A number that clones share, and nothing else that there is at the same time.
    fn identity(&self) -> usize {
        Arc::as_ptr(&self.tensor).cast::<()>() as usize
    }

    fn dtype(&self) -> DType {
        known!(self, tensor => tensor.dtype())
    }

    fn shape(&self) -> Shape {
        known!(self, tensor => tensor.shape())
    }

    fn rank(&self) -> usize {
        known!(self, tensor => tensor.rank())
    }
}

impl Debug for Erased {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        known!(self, tensor => Debug::fmt(tensor, f))
    }
}

/// # Panics
/// Always: this is what is said of tensors that do not meet.
pub(crate) fn two_devices(one: Place) -> ! {
    panic!("tensors of two devices in one operation, one of them {one:?}")
}

/// The type of tensors that keep their type on the CPU, and the ways in and out.
macro_rules! tensors {
    ($(#[$doc:meta])* $Name:ident, $Cpu:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $Name(Inner<$Cpu>);

        impl $Name {
            /// Where it is.
            pub fn place(&self) -> Place {
                match &self.0 {
                    Inner::Cpu(_) => Place::Cpu,
                    Inner::Away(tensor) => tensor.place,
                }
            }

            /// The CPU's tensor, or this one if it is elsewhere.
            #[allow(clippy::result_large_err, reason = "the tensor itself, moved on at once")]
            pub(crate) fn into_cpu(self) -> core::result::Result<$Cpu, Self> {
                match self.0 {
                    Inner::Cpu(tensor) => Ok(tensor),
                    away => Err(Self(away)),
                }
            }

            pub(crate) fn cpu(&self) -> &$Cpu {
                match &self.0 {
                    Inner::Cpu(tensor) => tensor,
                    Inner::Away(tensor) => tensor.elsewhere(),
                }
            }

            pub(crate) fn away<T: 'static>(&self) -> &T {
                match &self.0 {
                    Inner::Cpu(_) => two_devices(Place::Cpu),
                    Inner::Away(tensor) => tensor.get(),
                }
            }

            pub(crate) fn into_away<T: Clone + Send + Sync + 'static>(self) -> T {
                match self.0 {
                    Inner::Cpu(_) => two_devices(Place::Cpu),
                    Inner::Away(tensor) => tensor.take(),
                }
            }

            pub(crate) fn from_away<T: Send + Sync + 'static>(place: Place, tensor: T) -> Self {
                Self(Inner::Away(Erased::new(place, tensor)))
            }
        }

        impl From<$Cpu> for $Name {
            fn from(tensor: $Cpu) -> Self {
                Self(Inner::Cpu(tensor))
            }
        }

        impl TensorMetadata for $Name {
            fn dtype(&self) -> DType {
                match &self.0 {
                    Inner::Cpu(tensor) => tensor.dtype(),
                    Inner::Away(tensor) => tensor.dtype(),
                }
            }

            fn shape(&self) -> Shape {
                match &self.0 {
                    Inner::Cpu(tensor) => tensor.shape(),
                    Inner::Away(tensor) => tensor.shape(),
                }
            }

            fn rank(&self) -> usize {
                match &self.0 {
                    Inner::Cpu(tensor) => tensor.rank(),
                    Inner::Away(tensor) => tensor.rank(),
                }
            }
        }
    };
}

impl ComputeTensor {
    /// A number that tensors share whose numbers lie in one place, and no others.
    pub(crate) fn identity(&self) -> usize {
        match &self.0 {
            Inner::Cpu(tensor) => tensor.bytes().as_ptr() as usize,
            Inner::Away(tensor) => tensor.identity(),
        }
    }
}

#[derive(Debug, Clone)]
enum Inner<T> {
    Cpu(T),
    Away(Erased),
}

tensors! {
    /// A tensor of floats, whole numbers or truth values.
    ComputeTensor, FlexTensor
}

tensors! {
    /// A tensor of quantised numbers.
    ComputeQTensor, FlexQTensor
}

impl QTensorPrimitive for ComputeQTensor {
    fn scheme(&self) -> &QuantScheme {
        match &self.0 {
            Inner::Cpu(tensor) => tensor.scheme(),
            Inner::Away(erased) => known!(erased, tensor => tensor.scheme()),
        }
    }
}
