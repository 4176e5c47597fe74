//! The adapters that wgpu finds, asked for before any device is named: burn would panic on a
//! machine without one.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use burn::backend::wgpu::{RuntimeOptions, WgpuSetup, init_device};
use serde::Serialize;

use crate::opened::{Faults, Opened};

/// What kind of hardware an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterKind {
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A GPU that shares the processor's memory.
    IntegratedGpu,
    /// A GPU behind a virtual machine.
    VirtualGpu,
    /// Not told by the driver.
    Other,
    /// A driver that computes on the processor.
    Software,
}

impl AdapterKind {
    /// Whether it is a real GPU.
    pub fn is_gpu(self) -> bool {
        matches!(
            self,
            AdapterKind::DiscreteGpu | AdapterKind::IntegratedGpu | AdapterKind::VirtualGpu
        )
    }
}

impl std::fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            AdapterKind::DiscreteGpu => "discrete GPU",
            AdapterKind::IntegratedGpu => "integrated GPU",
            AdapterKind::VirtualGpu => "virtual GPU",
            AdapterKind::Other => "other",
            AdapterKind::Software => "software",
        })
    }
}

/// What is shown of an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdapterInfo {
    /// The hardware's name.
    pub name: String,
    /// The graphics interface: Vulkan, Metal, DX12.
    pub api: String,
    /// The driver's name and version.
    pub driver: String,
    /// The kind of hardware.
    pub kind: AdapterKind,
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Largest part of a buffer that one operation can see, in bytes.
    pub max_binding_bytes: u64,
    /// Whether shaders can add and multiply in double precision.
    pub double_precision: bool,
}

/// An adapter that could be opened.
pub struct Adapter {
    /// What is shown of it.
    pub info: AdapterInfo,
    instance: wgpu::Instance,
    adapter: wgpu::Adapter,
    /// By the largest tensor that was asked for.
    opened: Mutex<HashMap<Option<u64>, Opened>>,
}

/// All adapters of this machine, best first: real GPUs before software. They are looked for once.
pub fn adapters() -> &'static [Adapter] {
    static FOUND: OnceLock<Vec<Adapter>> = OnceLock::new();
    FOUND.get_or_init(|| without_driver_messages(find))
}

fn find() -> Vec<Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::PRIMARY,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut found: Vec<Adapter> =
        pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY))
            .into_iter()
            .map(|adapter| Adapter {
                info: describe(&adapter),
                instance: instance.clone(),
                adapter,
                opened: Mutex::default(),
            })
            .collect();
    found.sort_by_key(|adapter| adapter.info.kind);
    found
}

/// Runs `body` with standard error closed: Mesa's drivers write there that XDG_RUNTIME_DIR is not
/// set, which matters to windows only, and no setting of wgpu keeps them from it.
#[cfg(unix)]
fn without_driver_messages<T>(body: impl FnOnce() -> T) -> T {
    use std::os::fd::AsFd;

    let kept = std::io::stderr().as_fd().try_clone_to_owned();
    let nowhere = std::fs::File::options().write(true).open("/dev/null");
    let (Ok(kept), Ok(nowhere)) = (kept, nowhere) else { return body() };
    if rustix::stdio::dup2_stderr(&nowhere).is_err() {
        return body();
    }
    let result = body();
    if let Err(error) = rustix::stdio::dup2_stderr(&kept) {
        tracing::warn!("standard error is lost: {error}");
    }
    result
}

#[cfg(not(unix))]
fn without_driver_messages<T>(body: impl FnOnce() -> T) -> T {
    body()
}

fn describe(adapter: &wgpu::Adapter) -> AdapterInfo {
    let info = adapter.get_info();
    let limits = adapter.limits();
    AdapterInfo {
        name: info.name,
        api: info.backend.to_string(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::DiscreteGpu,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::IntegratedGpu,
            wgpu::DeviceType::VirtualGpu => AdapterKind::VirtualGpu,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
            wgpu::DeviceType::Other => AdapterKind::Other,
        },
        max_buffer_bytes: limits.max_buffer_size,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        double_precision: adapter.features().contains(wgpu::Features::SHADER_F64),
    }
}

impl Adapter {
    /// The adapter, opened: burn asks for every feature that it has but the experimental ones. With
    /// tensors of at most `most_bytes`, where that is less than it can hold. burn keeps an opened
    /// adapter for the life of the process, so that it is opened once, and again only after it failed.
    ///
    /// # Errors
    /// The driver's reason.
    pub fn open(&self, most_bytes: Option<u64>) -> Result<Opened, String> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(well) = opened.get(&most_bytes).filter(|opened| opened.failure().is_none()) {
            return Ok(well.clone());
        }
        let fresh = self.open_anew(most_bytes)?;
        opened.insert(most_bytes, fresh.clone());
        Ok(fresh)
    }

    fn open_anew(&self, most_bytes: Option<u64>) -> Result<Opened, String> {
        let mut limits = self.adapter.limits();
        let most = &mut limits.max_storage_buffer_binding_size;
        *most = most_bytes.map_or(*most, |bytes| bytes.min(*most));
        let unwanted =
            wgpu::Features::MAPPABLE_PRIMARY_BUFFERS | wgpu::Features::all_experimental_mask();
        let request = self.adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("sharpscope-compute"),
            required_features: self.adapter.features().difference(unwanted),
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request).map_err(|e| e.to_string())?;
        let (limits, faults) = (device.limits(), Faults::watch(&device));
        let setup = WgpuSetup {
            instance: self.instance.clone(),
            adapter: self.adapter.clone(),
            device,
            queue,
            backend: self.adapter.get_info().backend,
        };
        let device = init_device(setup, RuntimeOptions::default());
        Ok(Opened::new(device, &self.info.name, &limits, faults))
    }
}
