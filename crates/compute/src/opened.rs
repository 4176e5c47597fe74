//! A wgpu device that was opened: what it can hold, and failures that it reports beside its results
//! instead of in their place.
//!
//! Work is handed to a device in a queue and its results are read back later. A kernel whose buffers
//! cannot be had is dropped, and what is read back is whatever the result's memory held. So whoever
//! reads a result back must ask ([`Opened::failure`]) whether anything went wrong before.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::wgpu::{WgpuDevice, WgpuRuntime};
use cubecl_runtime::runtime::Runtime;
use cubecl_runtime::server::ServerError;

use crate::ComputeDevice;

/// What sizes of buffers are rounded up to, at most.
const ALIGNMENT: u64 = 256;

/// An opened adapter.
#[derive(Debug, Clone)]
pub struct Opened {
    device: WgpuDevice,
    name: String,
    most_bytes: u64,
    faults: Faults,
}

/// The first failure that a device has reported by itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Option<String>>>);

impl Faults {
    /// Keeps what `device` reports from now on; without a handler wgpu would panic in a thread whose
    /// panics nobody sees.
    pub fn watch(device: &wgpu::Device) -> Self {
        let faults = Self::default();
        let kept = faults.clone();
        device
            .on_uncaptured_error(Arc::new(move |error: wgpu::Error| kept.keep(error.to_string())));
        let kept = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            // This is how a program ends.
            if reason != wgpu::DeviceLostReason::Destroyed {
                kept.keep(format!("the device is lost: {message}"));
            }
        });
        faults
    }

    fn keep(&self, fault: String) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(fault);
    }

    fn first(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Opened {
    /// The device of that adapter, opened within these limits.
    pub(crate) fn new(
        device: WgpuDevice,
        name: &str,
        limits: &wgpu::Limits,
        faults: Faults,
    ) -> Self {
        let most_bytes = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let most_bytes = most_bytes / ALIGNMENT * ALIGNMENT;
        Self { device, name: name.to_string(), most_bytes, faults }
    }

    /// Where tensors are made on it.
    pub fn device(&self) -> ComputeDevice {
        ComputeDevice::Wgpu(self.device.clone())
    }

    /// The adapter's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The largest tensor that it holds, in bytes.
    pub fn most_bytes(&self) -> u64 {
        self.most_bytes
    }

    /// What went wrong first, if not all that was asked of the device so far, from this thread, has
    /// been done.
    pub fn failure(&self) -> Option<String> {
        let dropped = || {
            let failed = WgpuRuntime::client(&self.device).flush().err()?;
            Some(reported(&failed))
        };
        self.faults.first().or_else(dropped)
    }
}

/// What went wrong first.
fn reported(error: &ServerError) -> String {
    match error {
        ServerError::ServerUnhealthy { errors, .. } => {
            errors.first().map_or_else(|| error.to_string(), reported)
        }
        ServerError::Generic { reason, .. } => reason.clone(),
        ServerError::Launch(error) => error.to_string(),
        ServerError::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}
