//! Optimizers, each with its update and, beside it, the sharpness that the update can bear.
//!
//! An optimizer works on flat host vectors in double precision; the trainer rounds the result to
//! the precision of the run. A new optimizer is a file here and a line in [`optimizer`].

mod sgd;

pub use sgd::Sgd;

use crate::error::{Error, Result};

/// What a stability threshold may depend on, at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StabilityContext {
    /// The step's learning rate eta.
    pub lr: f64,
    /// Norm of the gradient of the training loss, where it was measured.
    pub grad_norm: Option<f64>,
}

/// An update rule and its stability threshold.
pub trait Optimizer: Send {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// The largest curvature along one direction at which the update is stable on a quadratic;
    /// `None` where no formula is known.
    fn threshold(&self, context: &StabilityContext) -> Option<f64>;

    /// The threshold's formula as shown in figures.
    fn threshold_formula(&self) -> &'static str;

    /// Takes one step from `theta` along the gradient there, with learning rate `lr`.
    fn step(&mut self, lr: f64, theta: &mut [f64], gradient: &[f64]);
}

const NAMES: [&str; 1] = [Sgd::NAME];

/// The optimizer of that name.
///
/// # Errors
/// [`Error::UnknownName`].
pub fn optimizer(name: &str) -> Result<Box<dyn Optimizer>> {
    match name {
        Sgd::NAME => Ok(Box::new(Sgd)),
        _ => Err(Error::unknown_name("optimizer", name, &NAMES)),
    }
}
