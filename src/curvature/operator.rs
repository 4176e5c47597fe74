//! The operators whose eigenvalues are measured.

use crate::autodiff::Objective;
use crate::error::{Result, check_length};
use crate::linalg::SymmetricOperator;
use crate::optim::StabilityOperator;

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

/// P^-1/2 (A + lambda I) P^-1/2 for a symmetric A, a positive diagonal P and a weight decay lambda.
/// The diagonal is applied on the host, around the product with A: no further transfer.
pub struct Preconditioned<A> {
    inner: A,
    /// The diagonal of P^-1/2.
    inverse_root: Vec<f64>,
    shift: f64,
    scaled: Vec<f64>,
}

impl<A: SymmetricOperator> Preconditioned<A> {
    /// Around `inner`, as `operator` says.
    ///
    /// # Errors
    /// [`crate::Error::Length`] if the preconditioner's length is not the dimension of `inner`.
    pub fn new(inner: A, operator: &StabilityOperator) -> Result<Self> {
        let dim = inner.dim();
        let inverse_root = match &operator.preconditioner {
            Some(p) => p.iter().map(|p| 1.0 / p.sqrt()).collect(),
            None => vec![1.0; dim],
        };
        check_length("preconditioner", inverse_root.len(), dim)?;
        Ok(Self { inner, inverse_root, shift: operator.shift, scaled: vec![0.0; dim] })
    }
}

impl<A: SymmetricOperator> SymmetricOperator for Preconditioned<A> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        for ((scaled, x), d) in self.scaled.iter_mut().zip(x).zip(&self.inverse_root) {
            *scaled = d * x;
        }
        self.inner.apply(&self.scaled, y)?;
        for ((y, scaled), d) in y.iter_mut().zip(&self.scaled).zip(&self.inverse_root) {
            *y = d * (*y + self.shift * scaled);
        }
        Ok(())
    }
}
