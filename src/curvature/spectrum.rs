//! Measuring a spectrum.

use std::time::Instant;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
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
    /// Frobenius norm: the root of the sum of the squared eigenvalues. Of this and all that follows two
    /// standard errors cover 95%. Of a sampled Fisher matrix they are about the mean over draws of its
    /// targets.
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
    /// The least and the largest share, below, within and above, that the Lanczos steps leave possible:
    /// what more steps would narrow and more probes would not. Half of it is in two standard errors.
    pub brackets: [[f64; 2]; 3],
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
        let group = self.group.as_ref();
        let mut operator = self.operator(objective, group, self.seed)?;
        let operator = &mut *operator;
        let mut probes = rng::stream(self.seed, Stream::Probes { step: step as u32 });
        let density = match self.matrix {
            Matrix::SampledFisher => self.redrawn_density(objective, &mut probes)?,
            _ => self.quadrature.run(operator, &mut probes)?,
        };
        let ends = self.solver(self.top, 1).solve_operator("spectrum", operator, step)?;
        let trace = self.trace(objective, group, operator, step)?;
        let magnitude = |x: Option<f64>| x.map_or(0.0, f64::abs);
        let scale = magnitude(ends.lambda.first().copied()).max(magnitude(ends.lambda_min));
        let near_zero = NEAR_ZERO * scale;
        // Of a sampled Fisher matrix the ends are those of one draw.
        let least_norm = if self.matrix == Matrix::SampledFisher { 0.0 } else { scale };
        let shares = density.shares(near_zero)?;
        let [negative, zero, positive] = shares.map(|share| share.estimate);
        let brackets = shares.map(|share| share.bracket);
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
            quadrature_trace: density.trace(),
            frobenius: density.frobenius(least_norm),
            effective_rank: density.rank(),
            masses: Masses { near_zero, negative, zero, positive, brackets },
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
                let mut operator = self.operator(objective, Some(group), self.seed)?;
                let operator = &mut *operator;
                let top = self.solver(1, 0).solve_operator("block", operator, step)?;
                let trace = self.trace(objective, Some(group), operator, step)?;
                Ok(GroupSpectrum {
                    group: group.name.clone(),
                    parameters: group.len(),
                    lambda_max: top.lambda.first().copied().unwrap_or(0.0),
                    residual: top.residual,
                    trace,
                })
            })
            .collect()
    }

    fn operator<'a>(
        &self,
        objective: &'a dyn Objective,
        group: Option<&Group>,
        seed: u64,
    ) -> Result<Box<dyn SymmetricOperator + 'a>> {
        self.around(CurvatureOperator::new(objective, self.matrix, seed), group)
    }

    /// With the preconditioner around it, and restricted to the group.
    fn around<'a>(
        &self,
        matrix: CurvatureOperator<'a>,
        group: Option<&Group>,
    ) -> Result<Box<dyn SymmetricOperator + 'a>> {
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

    pub(crate) fn solver(&self, largest: usize, smallest: usize) -> CurvatureMeter {
        let SpectrumMeter { tolerance, max_iterations, seed, .. } = *self;
        CurvatureMeter::lanczos(Lanczos { largest, smallest, tolerance, max_iterations }, seed)
    }

    /// Each probe of targets of its own, the first of those of the ends: the scatter between probes holds
    /// that of the targets then.
    fn redrawn_density<R: Rng>(
        &self,
        objective: &dyn Objective,
        rng: &mut R,
    ) -> Result<SpectralDensity> {
        let mut seeds = ChaCha8Rng::seed_from_u64(rng.random());
        let operator_of = |probe| {
            let seed = if probe == 0 { self.seed } else { seeds.random() };
            self.operator(objective, self.group.as_ref(), seed)
        };
        self.quadrature.run_each(operator_of, rng)
    }

    /// Each product with targets of its own: a twelfth of the products for the range, so that there are
    /// about ten probes.
    fn redrawn_trace<R: Rng>(
        &self,
        objective: &dyn Objective,
        group: Option<&Group>,
        rng: &mut R,
    ) -> Result<TraceEstimate> {
        let matrix = CurvatureOperator::redrawn(objective, self.matrix, rng.random());
        let mut operator = self.around(matrix, group)?;
        let rank = (self.trace_products / 12).min(operator.dim());
        let most = (self.trace_products.saturating_sub(rank) / (rank + 1)).max(2);
        HutchPlusPlus { rank, rest: self.hutchinson(most) }.estimate_of_mean(&mut *operator, rng)
    }

    fn hutchinson(&self, most_probes: usize) -> Hutchinson {
        /// Fewer let the stopping rule pick draws that are near each other by chance.
        const LEAST: usize = 10;
        let accuracy = self.trace_accuracy;
        Hutchinson { least_probes: LEAST.min(most_probes), most_probes, accuracy }
    }

    /// Exact where that takes no more products; else a third of them for the range, and as many to
    /// project it. Of a sampled Fisher matrix, over new targets.
    fn trace(
        &self,
        objective: &dyn Objective,
        group: Option<&Group>,
        operator: &mut dyn SymmetricOperator,
        step: usize,
    ) -> Result<TraceEstimate> {
        let mut rng = rng::stream(self.seed, Stream::TraceProbes { step: step as u32 });
        if self.matrix == Matrix::SampledFisher {
            return self.redrawn_trace(objective, group, &mut rng);
        }
        if operator.dim() <= self.trace_products {
            return exact_trace(operator);
        }
        let third = (self.trace_products / 3).max(1);
        let most = self.trace_products.saturating_sub(2 * third).max(2);
        HutchPlusPlus { rank: third, rest: self.hutchinson(most) }.estimate(operator, &mut rng)
    }
}
