//! Extreme eigenvalues of the Hessian by a cold Lanczos solve from a seeded random vector.

use crate::autodiff::Objective;
use crate::curvature::Hessian;
use crate::error::Result;
use crate::linalg::{Lanczos, LanczosOutcome, StopReason, random_unit_vector};
use crate::rng::{self, Stream};

/// Measures curvature at the objective's current parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvatureMeter {
    /// Settings of the eigensolver.
    pub lanczos: Lanczos,
    /// Seed of the run.
    pub seed: u64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Curvature {
    /// The largest eigenvalues, largest first. The first is the sharpness.
    pub lambda: Vec<f64>,
    /// The smallest eigenvalue, where it was asked for.
    pub lambda_min: Option<f64>,
    /// Unit eigenvector of the largest eigenvalue, of length P.
    pub top_vector: Vec<f64>,
    /// The largest relative residual of these pairs.
    pub residual: f64,
    /// Whether all of them met the tolerance.
    pub converged: bool,
    /// Why the eigensolver stopped.
    pub stop: StopReason,
    /// Hessian-vector products spent.
    pub hvps: usize,
}

impl CurvatureMeter {
    /// Measures at training step `step`, which chooses the start vector.
    ///
    /// # Errors
    /// [`crate::Error::NonFinite`] if a product is not finite; or if the device reports failure.
    pub fn measure(&self, objective: &dyn Objective, step: usize) -> Result<Curvature> {
        let stream = Stream::Krylov { step: step as u32 };
        let start = random_unit_vector(objective.dim(), &mut rng::stream(self.seed, stream));
        let outcome = self.lanczos.solve(&mut Hessian::new(objective), &start)?;
        let curvature = Curvature::from(outcome);
        tracing::debug!(
            step,
            sharpness = curvature.lambda.first(),
            residual = curvature.residual,
            hvps = curvature.hvps,
            stop = %curvature.stop,
            "curvature measured"
        );
        Ok(curvature)
    }
}

impl From<LanczosOutcome> for Curvature {
    fn from(mut outcome: LanczosOutcome) -> Self {
        let pairs = || outcome.largest.iter().chain(&outcome.smallest);
        Self {
            residual: pairs().map(|pair| pair.residual).fold(0.0, f64::max),
            converged: pairs().all(|pair| pair.converged),
            lambda: outcome.largest.iter().map(|pair| pair.value).collect(),
            lambda_min: outcome.smallest.first().map(|pair| pair.value),
            stop: outcome.stop,
            hvps: outcome.applications,
            top_vector: match outcome.largest.first_mut() {
                Some(pair) => std::mem::take(&mut pair.vector),
                None => Vec::new(),
            },
        }
    }
}
