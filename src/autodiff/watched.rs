//! What a wgpu device cannot do: tensors beyond its largest binding, and work that it drops.
//!
//! Chunks are kept to what the device can hold, and after each read-back it is asked whether anything
//! went wrong before ([`Watched`]): what was read is then no result.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use sharpscope_compute::Opened;

use crate::autodiff::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples,
};
use crate::device::mebibytes;
use crate::error::{Error, Field, Message, Result};

/// Bytes of a number on the device, whole numbers and truth values included.
const NUMBER: u64 = 4;

/// Elements of the largest tensor that it holds.
pub(super) fn most_elements(opened: &Opened) -> usize {
    (opened.most_bytes() / NUMBER) as usize
}

/// How many samples a chunk may have if each takes `per_sample` numbers of the largest tensor.
///
/// # Errors
/// [`Error::Device`] where one is too much.
pub(super) fn most_samples(opened: &Opened, per_sample: usize) -> Result<usize> {
    let sample = NUMBER * per_sample.max(1) as u64;
    match (opened.most_bytes() / sample) as usize {
        0 => Err(Error::Device {
            problem: Message::from(format!(
                "one sample makes a tensor of {}, and {} holds none above {}",
                mebibytes(sample),
                opened.name(),
                mebibytes(opened.most_bytes())
            )),
            remedy: Message::from("use ") + Field("backend") + " cpu, or a smaller model",
        }),
        most => Ok(most),
    }
}

/// Whether all that was asked of the device so far, from this thread, has been done.
fn check(opened: &Opened) -> Result<()> {
    match opened.failure() {
        None => Ok(()),
        Some(reason) => Err(failure(opened, &reason)),
    }
}

fn failure(opened: &Opened, reason: &str) -> Error {
    // Libraries add stacks of frames.
    let reason = reason.lines().map(str::trim).find(|line| !line.is_empty());
    let problem = format!(
        "{} did not do all that was asked of it, as where a tensor is above the {} that it holds, \
         or memory runs out ({})",
        opened.name(),
        mebibytes(opened.most_bytes()),
        reason.unwrap_or("no reason given").trim_end_matches(['.', ':'])
    );
    let lower = Message::from("lower ") + Field("chunk") + " or " + Field("top");
    let remedy = lower + ", or use " + Field("backend") + " cpu";
    Error::DeviceFailed { problem: problem.into(), remedy }
}

/// What `work` says, if the device has done it.
fn watched<T>(opened: &Opened, work: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => {
            check(opened)?;
            done
        }
        // burn and its libraries panic where the device's thread could not answer.
        Err(panic) => {
            check(opened)?;
            let text = panic.downcast_ref::<String>().map(String::as_str);
            match text.filter(|text| text.contains("CallError")) {
                Some(text) => Err(failure(opened, text)),
                None => resume_unwind(panic),
            }
        }
    }
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
        let inner = watched(opened, make)?;
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
        watched(&self.opened, || self.inner.evaluate())
    }

    fn gradient(&self, samples: Samples<'_>) -> Result<GradientEvaluation> {
        watched(&self.opened, || self.inner.gradient(samples))
    }

    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        watched(&self.opened, || self.inner.hvp_over(samples, v))
    }

    fn hvps(&self, block: &[f64]) -> Result<Vec<f64>> {
        watched(&self.opened, || self.inner.hvps(block))
    }

    fn gradient_and_hvps(&self, block: &[f64]) -> Result<(GradientEvaluation, Vec<f64>)> {
        watched(&self.opened, || self.inner.gradient_and_hvps(block))
    }

    fn output_product(&self, matrix: OutputMatrix, v: &[f64]) -> Result<Vec<f64>> {
        watched(&self.opened, || self.inner.output_product(matrix, v))
    }
}
