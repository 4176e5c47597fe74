//! Where tensors can be.

use burn::backend::flex::FlexDevice;
use burn::backend::wgpu::WgpuDevice;
use burn::tensor::backend::{Device, DeviceId, DeviceOps};

/// A kind of device, each with a backend of burn behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The processor.
    Cpu,
    /// A GPU by wgpu, or a driver of wgpu's that computes on the processor.
    Wgpu,
    /// A GPU by CUDA.
    #[cfg(feature = "cuda")]
    Cuda,
    /// A GPU by ROCm.
    #[cfg(feature = "rocm")]
    Rocm,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ComputeDevice {
    /// The processor.
    #[default]
    Cpu,
    /// One of wgpu's devices.
    Wgpu(WgpuDevice),
    /// One of CUDA's devices.
    #[cfg(feature = "cuda")]
    Cuda(burn::backend::cuda::CudaDevice),
    /// One of ROCm's devices.
    #[cfg(feature = "rocm")]
    Rocm(burn::backend::rocm::RocmDevice),
}

/// Numbers of types of devices for each [`Place`]: burn knows a device by two numbers.
const TYPES: u16 = 16;

impl Place {
    /// The place of devices of this type, and the type's number there.
    pub(crate) fn of_type(type_id: u16) -> (Self, u16) {
        let place = match type_id / TYPES {
            0 => Place::Cpu,
            #[cfg(feature = "cuda")]
            2 => Place::Cuda,
            #[cfg(feature = "rocm")]
            3 => Place::Rocm,
            _ => Place::Wgpu,
        };
        (place, type_id % TYPES)
    }

    fn first_type(self) -> u16 {
        TYPES
            * match self {
                Place::Cpu => 0,
                Place::Wgpu => 1,
                #[cfg(feature = "cuda")]
                Place::Cuda => 2,
                #[cfg(feature = "rocm")]
                Place::Rocm => 3,
            }
    }
}

impl ComputeDevice {
    /// Its kind.
    pub fn place(&self) -> Place {
        match self {
            ComputeDevice::Cpu => Place::Cpu,
            ComputeDevice::Wgpu(_) => Place::Wgpu,
            #[cfg(feature = "cuda")]
            ComputeDevice::Cuda(_) => Place::Cuda,
            #[cfg(feature = "rocm")]
            ComputeDevice::Rocm(_) => Place::Rocm,
        }
    }
}

impl Device for ComputeDevice {
    fn from_id(id: DeviceId) -> Self {
        let (place, type_id) = Place::of_type(id.type_id);
        let id = DeviceId::new(type_id, id.index_id);
        match place {
            Place::Cpu => ComputeDevice::Cpu,
            Place::Wgpu => ComputeDevice::Wgpu(Device::from_id(id)),
            #[cfg(feature = "cuda")]
            Place::Cuda => ComputeDevice::Cuda(Device::from_id(id)),
            #[cfg(feature = "rocm")]
            Place::Rocm => ComputeDevice::Rocm(Device::from_id(id)),
        }
    }

    fn to_id(&self) -> DeviceId {
        let id = match self {
            ComputeDevice::Cpu => FlexDevice.to_id(),
            ComputeDevice::Wgpu(device) => device.to_id(),
            #[cfg(feature = "cuda")]
            ComputeDevice::Cuda(device) => device.to_id(),
            #[cfg(feature = "rocm")]
            ComputeDevice::Rocm(device) => device.to_id(),
        };
        DeviceId::new(self.place().first_type() + id.type_id, id.index_id)
    }
}

impl DeviceOps for ComputeDevice {}
