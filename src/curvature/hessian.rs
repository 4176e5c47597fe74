//! The Hessian of a loss over a module's parameters, as a symmetric operator.

use crate::autodiff::Objective;
use crate::error::Result;
use crate::linalg::SymmetricOperator;

/// The Hessian of an objective at its current parameters, of dimension P. One product is one
/// transfer to the device and one back.
pub struct Hessian<'a> {
    objective: &'a dyn Objective,
}

impl<'a> Hessian<'a> {
    /// The Hessian of `objective`.
    pub fn new(objective: &'a dyn Objective) -> Self {
        Self { objective }
    }
}

impl SymmetricOperator for Hessian<'_> {
    fn dim(&self) -> usize {
        self.objective.dim()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        y.copy_from_slice(&self.objective.hvp(x)?);
        Ok(())
    }
}
