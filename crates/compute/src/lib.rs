//! One burn backend for all devices.
//!
//! burn's backends are types, so that a program that may run on the CPU or on a GPU instantiates all
//! it does with tensors once for each, in each crate. [`Compute`] is one type whose tensors are on the
//! CPU (burn-flex, with vector kernels for exp, tanh, erf and the logistic function) or on a GPU
//! (burn-wgpu with fusion): which is decided by the [`ComputeDevice`] that a tensor is made on. Its
//! operations are no generic code, and what is generic in the backends below is instantiated here and
//! nowhere else.
//!
//! ```
//! use burn::tensor::Tensor;
//! use sharpscope_compute::{Compute, ComputeDevice};
//!
//! let x = Tensor::<Compute, 1>::from_floats([1.0, 2.0], &ComputeDevice::Cpu);
//! assert_eq!(x.tanh().into_data().to_vec::<f32>().unwrap()[0], 1.0f32.tanh());
//! ```
//!
//! [`adapters`] lists the GPUs of this machine, and [`Adapter::open`] opens one, once in a process.
//!
//! # Features
//! `vulkan` and `metal` compile wgpu's shaders to SPIR-V and to Metal's language in place of WGSL;
//! `cuda` and `rocm` add devices of these kinds.

mod adapters;
mod backend;
mod device;
mod dispatch;
mod opened;
mod ops;
mod tensor;

pub use adapters::{Adapter, AdapterInfo, AdapterKind, adapters};
pub use device::{ComputeDevice, Place};
pub use opened::Opened;
pub use tensor::{ComputeQTensor, ComputeTensor};

/// The backend.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compute;
