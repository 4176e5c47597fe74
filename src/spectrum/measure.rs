//! Measuring a spectrum.

use std::time::Instant;

use serde::Serialize;

use super::Group;
use crate::autodiff::Objective;
use crate::curvature::{Block, CurvatureMeter, CurvatureOperator, Matrix, Preconditioned};
use crate::error::Result;
use crate::linalg::{
    Estimate, HutchPlusPlus, Hutchinson, Lanczos, SpectralDensity, StochasticLanczos,
    SymmetricOperator, TraceEstimate, exact_trace,
};
use crate::optim::StabilityOperator;
use crate::rng::{self, Stream};

/// How a spectrum is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectrumMeter {
    /// Probes and steps of the density.
    pub quadrature: StochasticLanczos,
    /// Standard deviation of the smoothing in units of eigenvalues; `None` for what suits.
    pub sigma: Option<f64>,
    /// Which matrix.
    pub matrix: Matrix,
    /// The preconditioner and decay around it; the default leaves it as it is.
    pub operator: StabilityOperator,
    /// The parameters that the matrix is restricted to; `None` for all.
    pub group: Option<Group>,
    /// How many of the largest eigenvalues are found exactly.
    pub top: usize,
    /// Relative residual at which they, and the smallest, have converged.
    pub tolerance: f64,
    /// Most products of the eigensolver.
    pub max_iterations: usize,
    /// Relative standard error asked of the trace.
    pub trace_accuracy: f64,
    /// Most products that the trace takes.
    pub trace_products: usize,
    /// Seed of probes and start vectors.
    pub seed: u64,
}

/// A spectrum at one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// The training step.
    pub step: usize,
    /// The matrix.
    pub matrix: Matrix,
    /// Whether it is preconditioned.
    pub preconditioned: bool,
    /// The group that it is restricted to.
    pub group: Option<String>,
    /// The density.
    pub density: SpectralDensity,
    /// The smoothing's standard deviation, in units of eigenvalues.
    pub sigma: f64,
    /// The stability threshold of the optimizer, where it bounds this matrix.
    pub threshold: Option<f64>,
    /// The ends.
    pub ends: Ends,
    /// Trace by Hutch++.
    pub trace: TraceEstimate,
    /// Trace from the density's nodes.
    pub quadrature_trace: Estimate,
    /// Frobenius norm: the root of the sum of the squared eigenvalues.
    pub frobenius: Estimate,
    /// (sum lambda)^2 / sum lambda^2.
    pub effective_rank: Estimate,
    /// Shares of negative, near-zero and positive eigenvalues.
    pub masses: Masses,
    /// Products with the matrix in all.
    pub products: usize,
    /// Time taken.
    pub seconds: f64,
}

/// The ends of a spectrum.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ends {
    /// The largest eigenvalues, largest first.
    pub largest: Vec<f64>,
    /// The smallest.
    pub smallest: Option<f64>,
    /// The largest relative residual among them.
    pub residual: f64,
    /// Whether all met the tolerance.
    pub converged: bool,
}

/// Where the eigenvalues lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Masses {
    /// What counts as near zero: this and less in magnitude.
    pub near_zero: f64,
    /// Share below.
    pub negative: Estimate,
    /// Share within.
    pub zero: Estimate,
    /// Share above.
    pub positive: Estimate,
}

/// A layer's share of the curvature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupSpectrum {
    /// The layer.
    pub group: String,
    /// Its parameters.
    pub parameters: usize,
    /// The largest eigenvalue of its block.
    pub lambda_max: f64,
    /// That eigenvalue's relative residual.
    pub residual: f64,
    /// The block's trace.
    pub trace: TraceEstimate,
}

/// Eigenvalues of at most this share of the largest in magnitude count as near zero.
const NEAR_ZERO: f64 = 1e-3;

impl SpectrumMeter {
    /// Measures at the objective's current parameters. The threshold is left empty.
    ///
    /// # Errors
    /// [`crate::Error::NonFinite`] if a product is not finite; [`crate::Error::Numerical`] for a
    /// matrix that the task does not support; or if the device reports failure.
    pub fn measure(&self, objective: &dyn Objective, step: usize) -> Result<Spectrum> {
        let clock = Instant::now();
        let mut operator = self.operator(objective, self.group.as_ref())?;
        let operator = &mut *operator;
        let mut probes = rng::stream(self.seed, Stream::Probes { step: step as u32 });
        let density = self.quadrature.run(operator, &mut probes)?;
        let ends = self.solver(self.top, 1).solve_operator("spectrum", operator, step)?;
        let trace = self.trace(operator, step)?;
        let magnitude = |x: Option<f64>| x.map_or(0.0, f64::abs);
        let scale = magnitude(ends.lambda.first().copied()).max(magnitude(ends.lambda_min));
        let near_zero = NEAR_ZERO * scale;
        let [negative, zero, positive] = density.masses(near_zero);
        let squares = density.sum(|x| x * x);
        let frobenius = squares.value.max(0.0).sqrt();
        Ok(Spectrum {
            step,
            matrix: self.matrix,
            preconditioned: !self.operator.is_hessian(),
            group: self.group.as_ref().map(|group| group.name.clone()),
            sigma: self.sigma.unwrap_or_else(|| density.default_sigma()),
            products: density.products + ends.hvps + trace.products,
            ends: Ends {
                largest: ends.lambda,
                smallest: ends.lambda_min,
                residual: ends.residual,
                converged: ends.converged,
            },
            trace,
            quadrature_trace: density.sum(|x| x),
            frobenius: Estimate {
                value: frobenius,
                // The derivative of the root.
                standard_error: squares
                    .standard_error
                    .filter(|_| frobenius > 0.0)
                    .map(|error| error / (2.0 * frobenius)),
            },
            effective_rank: density.effective_rank(),
            masses: Masses { near_zero, negative, zero, positive },
            density,
            threshold: None,
            seconds: clock.elapsed().as_secs_f64(),
        })
    }

    /// The largest eigenvalue and the trace of each group's own block.
    ///
    /// # Errors
    /// As [`SpectrumMeter::measure`].
    pub fn by_group(
        &self,
        objective: &dyn Objective,
        groups: &[Group],
        step: usize,
    ) -> Result<Vec<GroupSpectrum>> {
        groups
            .iter()
            .map(|group| {
                let mut operator = self.operator(objective, Some(group))?;
                let operator = &mut *operator;
                let top = self.solver(1, 0).solve_operator("block", operator, step)?;
                Ok(GroupSpectrum {
                    group: group.name.clone(),
                    parameters: group.len(),
                    lambda_max: top.lambda.first().copied().unwrap_or(0.0),
                    residual: top.residual,
                    trace: self.trace(operator, step)?,
                })
            })
            .collect()
    }

    fn operator<'a>(
        &self,
        objective: &'a dyn Objective,
        group: Option<&Group>,
    ) -> Result<Box<dyn SymmetricOperator + 'a>> {
        let matrix = CurvatureOperator::new(objective, self.matrix, self.seed);
        let coordinates = group.map(|group| group.coordinates.clone());
        Ok(match (self.operator.is_hessian(), coordinates) {
            (true, None) => Box::new(matrix),
            (true, Some(coordinates)) => Box::new(Block::new(matrix, coordinates)?),
            (false, None) => Box::new(Preconditioned::new(matrix, &self.operator)?),
            (false, Some(coordinates)) => {
                Box::new(Block::new(Preconditioned::new(matrix, &self.operator)?, coordinates)?)
            }
        })
    }

    pub(super) fn solver(&self, largest: usize, smallest: usize) -> CurvatureMeter {
        let SpectrumMeter { tolerance, max_iterations, seed, .. } = *self;
        CurvatureMeter { lanczos: Lanczos { largest, smallest, tolerance, max_iterations }, seed }
    }

    /// Exact where that takes no more products; else a third of them for the range, and as many to
    /// project it.
    fn trace(&self, operator: &mut dyn SymmetricOperator, step: usize) -> Result<TraceEstimate> {
        if operator.dim() <= self.trace_products {
            return exact_trace(operator);
        }
        let third = (self.trace_products / 3).max(1);
        let most = self.trace_products.saturating_sub(2 * third).max(2);
        let accuracy = self.trace_accuracy;
        let rest = Hutchinson { least_probes: 5.min(most), most_probes: most, accuracy };
        let mut rng = rng::stream(self.seed, Stream::TraceProbes { step: step as u32 });
        HutchPlusPlus { rank: third, rest }.estimate(operator, &mut rng)
    }
}
