//! The host's view of a loss: numbers in, numbers out.

use super::{OutputMatrix, ParameterLayout};
use crate::error::Result;

/// A loss L over P parameters, as the mean over a fixed list of samples, with its gradient and
/// Hessian. Vectors are flat, in the order of [`Objective::layout`].
pub trait Objective: Send {
    /// Names, shapes and offsets of the parameters.
    fn layout(&self) -> &ParameterLayout;

    /// The samples that the loss is a mean over, by their numbers in the task.
    fn sample_numbers(&self) -> &[usize];

    /// Number of samples N that the loss is a mean over.
    fn samples(&self) -> usize {
        self.sample_numbers().len()
    }

    /// Moves to the parameters `theta` (length P). Every other method is evaluated there.
    ///
    /// # Errors
    /// [`crate::Error::Length`] if the length is not P.
    fn set_parameters(&mut self, theta: &[f64]) -> Result<()>;

    /// The loss over all samples, and the accuracy where it has one.
    ///
    /// # Errors
    /// If the device reports failure.
    fn evaluate(&self) -> Result<Evaluation>;

    /// Loss and gradient over all samples or over some of them.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for a batch that is empty or out of range; or if the device reports
    /// failure.
    fn gradient(&self, samples: Samples<'_>) -> Result<GradientEvaluation>;

    /// The Hessian over all samples, or over some of them, times `v` (length P).
    ///
    /// # Errors
    /// [`crate::Error::Length`] if the length is not P; [`crate::Error::Setting`] for a batch that is
    /// empty or out of range; or if the device reports failure.
    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> Result<Vec<f64>>;

    /// The Hessian over all samples times `v` (length P).
    ///
    /// # Errors
    /// As [`Objective::hvp_over`].
    fn hvp(&self, v: &[f64]) -> Result<Vec<f64>> {
        self.hvp_over(Samples::All, v)
    }

    /// The Hessian over all samples times each of the vectors in `block` (length P times their number,
    /// one after the other), in the same order. The products share what work they can.
    ///
    /// # Errors
    /// As [`Objective::hvp_over`].
    fn hvps(&self, block: &[f64]) -> Result<Vec<f64>> {
        let mut products = Vec::with_capacity(block.len());
        for v in block.chunks(self.dim().max(1)) {
            products.extend(self.hvp(v)?);
        }
        Ok(products)
    }

    /// The gradient over all samples, and what [`Objective::hvps`] gives, in as little as one pass. Where
    /// products follow at the same parameters this is the gradient to ask for, with an empty block too.
    ///
    /// # Errors
    /// As [`Objective::hvp_over`].
    fn gradient_and_hvps(&self, block: &[f64]) -> Result<(GradientEvaluation, Vec<f64>)> {
        Ok((self.gradient(Samples::All)?, self.hvps(block)?))
    }

    /// J' M J `v` (length P) over all samples, J being the Jacobian of the outputs and M a matrix
    /// over them.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`] for a loss whose task does not say what its outputs are;
    /// [`crate::Error::Length`] if the length is not P; or if the device reports failure.
    fn output_product(&self, matrix: OutputMatrix, v: &[f64]) -> Result<Vec<f64>>;

    /// Length P of the parameter vector.
    fn dim(&self) -> usize {
        self.layout().len()
    }
}

/// Which of an objective's samples an evaluation runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples<'a> {
    /// All of them.
    All,
    /// Those at these positions of the objective's list.
    Batch(&'a [usize]),
}

/// Loss and accuracy at the current parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Mean loss over the samples.
    pub loss: f64,
    /// Share of samples answered correctly, in [0, 1], where that has a meaning.
    pub accuracy: Option<f64>,
}

/// Loss, accuracy and gradient at the current parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientEvaluation {
    /// Loss and accuracy.
    pub evaluation: Evaluation,
    /// The gradient, of length P.
    pub gradient: Vec<f64>,
}
