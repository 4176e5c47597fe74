//! A model, a dataset and a loss put together, on a device: what a run trains.

mod loss;
mod supervised;

use std::sync::Arc;

use crate::autodiff::Objective;
use crate::device::Device;
use crate::error::Result;
use crate::landscape::Surface;

pub use loss::Loss;
pub use supervised::{SampleBatch, Supervised};

/// What is trained: the same loss over different samples.
pub struct Problem {
    /// Over the training samples.
    pub train: Box<dyn Objective>,
    /// Over the validation samples, if there are any.
    pub validation: Option<Box<dyn Objective>>,
    /// Over the test samples, if there are any.
    pub test: Option<Box<dyn Objective>>,
    /// Over the samples that curvature is measured on, where those are not the training samples.
    pub curvature: Option<Box<dyn Objective>>,
}

impl Problem {
    /// What is evaluated at points of its parameter space.
    pub fn surface(&mut self) -> Surface<'_> {
        let mut surface = Surface::new(&mut *self.train);
        if let Some(validation) = &mut self.validation {
            surface = surface.with_validation(&mut **validation);
        }
        if let Some(curvature) = &mut self.curvature {
            surface = surface.with_curvature(&mut **curvature);
        }
        surface
    }
}

/// The loss of `task` over some samples. Not generic, so that the code for it is made here once and
/// not again in every program that uses it.
///
/// # Errors
/// As [`Device::objective`].
pub fn supervised(
    device: &Device,
    task: &Arc<Supervised>,
    samples: Vec<usize>,
    chunk: usize,
) -> Result<Box<dyn Objective>> {
    device.objective(Arc::clone(task), samples, chunk)
}
