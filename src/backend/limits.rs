//! What a wgpu device cannot do: tensors beyond its largest binding, and failures that it reports beside
//! its results instead of in their place.
//!
//! Work is handed to a device in a queue and its results are read back later. A kernel whose buffers
//! cannot be had is dropped, and what is read back is whatever the result's memory held. So chunks are
//! kept to what the device can hold, and after each read-back it is asked whether anything went wrong
//! before ([`Watched`]).

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::wgpu::{WgpuDevice, WgpuRuntime};
use cubecl_runtime::runtime::Runtime;
use cubecl_runtime::server::ServerError;

use crate::autodiff::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples,
};
use crate::error::{Error, Result};

/// Bytes of a number on the device, whole numbers and truth values included.
const NUMBER: u64 = 4;
/// What sizes of buffers are rounded up to, at most.
const ALIGNMENT: u64 = 256;

/// A device that was opened, and what it has to say.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    /// The device as burn knows it.
    pub device: WgpuDevice,
    /// The adapter's name.
    name: String,
    /// The largest tensor, in bytes.
    most_bytes: u64,
    faults: Faults,
}

/// The first failure that a device has reported by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Option<String>>>);

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
    pub fn new(device: WgpuDevice, name: &str, limits: &wgpu::Limits, faults: Faults) -> Self {
        let most_bytes = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let most_bytes = most_bytes / ALIGNMENT * ALIGNMENT;
        Self { device, name: name.to_string(), most_bytes, faults }
    }

    /// How many samples a chunk may have if each takes `per_sample` numbers of the largest tensor.
    ///
    /// # Errors
    /// [`Error::Device`] where one is too much.
    pub fn most_samples(&self, per_sample: usize) -> Result<usize> {
        let sample = NUMBER * per_sample.max(1) as u64;
        match (self.most_bytes / sample) as usize {
            0 => Err(Error::Device {
                problem: format!(
                    "one sample makes a tensor of {}, and {} holds none above {}",
                    mebibytes(sample),
                    self.name,
                    mebibytes(self.most_bytes)
                ),
                remedy: "use --backend cpu, or a smaller model".to_string(),
            }),
            most => Ok(most),
        }
    }

    /// The largest tensor that it holds, in words.
    pub fn most(&self) -> String {
        mebibytes(self.most_bytes)
    }

    /// Whether all that was asked of the device so far, from this thread, has been done.
    fn check(&self) -> Result<()> {
        let dropped = || {
            let failed = WgpuRuntime::client(&self.device).flush().err()?;
            Some(reported(&failed))
        };
        match self.faults.first().or_else(dropped) {
            None => Ok(()),
            Some(reason) => Err(self.failure(&reason)),
        }
    }

    fn failure(&self, reason: &str) -> Error {
        // Libraries add stacks of frames.
        let reason = reason.lines().map(str::trim).find(|line| !line.is_empty());
        let problem = format!(
            "{} did not do all that was asked of it, as where a tensor is above the {} that it holds, \
             or memory runs out ({})",
            self.name,
            self.most(),
            reason.unwrap_or("no reason given").trim_end_matches(['.', ':'])
        );
        let remedy = "lower --chunk or --top, or use --backend cpu".to_string();
        Error::DeviceFailed { problem, remedy }
    }

    /// What `work` says, if the device has done it.
    fn watched<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(done) => {
                self.check()?;
                done
            }
            // burn and its libraries panic where the device's thread could not answer.
            Err(panic) => {
                self.check()?;
                let text = panic.downcast_ref::<String>().map(String::as_str);
                match text.filter(|text| text.contains("CallError")) {
                    Some(text) => Err(self.failure(text)),
                    None => resume_unwind(panic),
                }
            }
        }
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

fn mebibytes(bytes: u64) -> String {
    const MEBIBYTE: f64 = (1 << 20) as f64;
    format!("{:.4} MiB", bytes as f64 / MEBIBYTE).replace(".0000", "")
}

/// An objective on a device that is asked after each result whether the result is one.
pub(super) struct Watched {
    inner: Box<dyn Objective>,
    opened: Opened,
}

impl Watched {
    /// What `make` makes on the device.
    ///
    /// # Errors
    /// Those of `make`, and [`Error::DeviceFailed`] where the device could not do it.
    pub fn around(
        opened: &Opened,
        make: impl FnOnce() -> Result<Box<dyn Objective>>,
    ) -> Result<Box<dyn Objective>> {
        let inner = opened.watched(make)?;
        Ok(Box::new(Self { inner, opened: opened.clone() }))
    }
}

impl Objective for Watched {
    fn layout(&self) -> &ParameterLayout {
        self.inner.layout()
    }

    fn sample_numbers(&self) -> &[usize] {
        self.inner.sample_numbers()
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        // What goes wrong here is seen where something is read back.
        self.inner.set_parameters(theta)
    }

    fn evaluate(&self) -> Result<Evaluation> {
        self.opened.watched(|| self.inner.evaluate())
    }

    fn gradient(&self, samples: Samples<'_>) -> Result<GradientEvaluation> {
        self.opened.watched(|| self.inner.gradient(samples))
    }

    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        self.opened.watched(|| self.inner.hvp_over(samples, v))
    }

    fn hvps(&self, block: &[f64]) -> Result<Vec<f64>> {
        self.opened.watched(|| self.inner.hvps(block))
    }

    fn gradient_and_hvps(&self, block: &[f64]) -> Result<(GradientEvaluation, Vec<f64>)> {
        self.opened.watched(|| self.inner.gradient_and_hvps(block))
    }

    fn output_product(&self, matrix: OutputMatrix, v: &[f64]) -> Result<Vec<f64>> {
        self.opened.watched(|| self.inner.output_product(matrix, v))
    }
}
