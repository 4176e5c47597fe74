//! Where a flow stands.

use crate::autodiff::{Evaluation, Objective};
use crate::error::Result;
use crate::linalg::{dot, norm};

/// A differential equation that is followed from one step of the optimizer to the next.
pub trait Flow {
    /// What is known where the flow stands; then it goes on for one step at rate `lr`. The objective is moved.
    ///
    /// # Errors
    /// [`crate::Error::NonFinite`] where the loss or its derivatives are not finite; [`crate::Error::Numerical`]
    /// where the equation has no solution; or if the device reports failure.
    fn step(&mut self, objective: &mut dyn Objective, lr: f64) -> Result<FlowPoint>;
}

/// What is known at a point of a flow.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowPoint {
    /// The parameters (length P).
    pub theta: Vec<f64>,
    /// The loss that is descended, and the accuracy.
    pub evaluation: Evaluation,
    /// Its gradient (length P).
    pub gradient: Vec<f64>,
    /// The largest eigenvalues of P^-1 H, largest first: the edge is at 2.
    pub curvatures: Vec<f64>,
    /// The oscillation, by falling variance; none where there is none.
    pub oscillations: Vec<Oscillation>,
    /// The loss that is expected of the oscillating iterates.
    pub expected_loss: f64,
    /// How far the conditions of the oscillation are from being met, at most, on the way to the next point.
    pub violation: f64,
    /// Gradients and Hessian-vector products to there from the point before.
    pub products: usize,
}

/// Iterates that go to and fro along a direction d with d'Pd = 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Oscillation {
    /// The mean of (d'P delta)^2, delta being an iterate's distance from the mean of its neighbours: in the unit of
    /// the loss.
    pub variance: f64,
    /// P d (length P): its inner product with delta is d'P delta.
    pub covector: Vec<f64>,
    /// d'Hd.
    pub curvature: f64,
}

impl FlowPoint {
    /// The expectation of the squared norm of the iterates' gradient, to second order: ||g||^2 + sum of the
    /// variances times ||Hd||^2 with Hd = (d'Hd) Pd.
    pub fn expected_square(&self) -> f64 {
        let own = norm(&self.gradient).powi(2);
        let of = |o: &Oscillation| {
            o.variance * o.curvature * o.curvature * dot(&o.covector, &o.covector)
        };
        own + self.oscillations.iter().map(of).sum::<f64>()
    }
}
