//! The largest eigenpairs of P^-1/2 H P^-1/2 along a flow.

use crate::autodiff::{GradientEvaluation, Objective};
use crate::curvature::{Hessian, Preconditioned};
use crate::error::{Error, Result};
use crate::linalg::{EigenPair, Follow, Secant, Solver, TrackerSettings, dot};
use crate::optim::StabilityOperator;

/// How eigenpairs are followed along a flow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TopSettings {
    /// Relative residual at which a pair has converged.
    pub tolerance: f64,
    /// Two more are followed wherever the smallest that is lies above this; the edge is at 2.
    pub above: f64,
    /// Most of them.
    pub most: usize,
    /// Seed of the random vectors.
    pub seed: u64,
}

impl Default for TopSettings {
    fn default() -> Self {
        Self { tolerance: 1e-3, above: 1.5, most: 16, seed: 0 }
    }
}

/// Follows the largest eigenpairs of P^-1/2 H P^-1/2 from point to point: each starts from what was found at the one
/// before (Davidson's method, [`crate::linalg::Tracker`]).
pub struct TopSpace {
    settings: TopSettings,
    count: usize,
    tracker: Option<Box<dyn Follow>>,
    /// P^-1/2 (length P), parameters and gradient where it was measured last.
    last: Option<(Vec<f64>, Vec<f64>, Vec<f64>)>,
}

/// What was found at a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Here {
    /// Loss and gradient.
    pub at: GradientEvaluation,
    /// Pairs of P^-1/2 H P^-1/2, largest first.
    pub pairs: Vec<EigenPair>,
    /// Products that it took.
    pub products: usize,
}

impl TopSpace {
    /// With nothing known yet.
    pub fn new(settings: TopSettings) -> Self {
        Self { settings, count: 2, tracker: None, last: None }
    }

    /// Moves the objective to `theta` and measures there; `root` is the diagonal of P^-1/2 (both of length P).
    ///
    /// # Errors
    /// [`Error::NonFinite`] where the loss or a derivative is not finite; [`Error::Length`] for another length than
    /// P; or if the device reports failure.
    pub fn measure(
        &mut self,
        objective: &mut dyn Objective,
        theta: &[f64],
        root: &[f64],
    ) -> Result<Here> {
        objective.set_parameters(theta)?;
        if let (Some(tracker), Some((old, ..))) = (&mut self.tracker, &self.last)
            && old != root
        {
            tracker
                .rescale(&root.iter().zip(old).map(|(new, old)| new / old).collect::<Vec<_>>())?;
        }
        let directions = self.tracker.as_ref().map_or(&[][..], |tracker| tracker.directions());
        let (at, products) = objective.gradient_and_hvps(&scaled(directions, root))?;
        let finite = at.evaluation.loss.is_finite()
            && at.gradient.iter().chain(&products).all(|x| x.is_finite());
        if !finite {
            return Err(Error::NonFinite { what: "the loss along the flow" });
        }
        let mut own = scaled(&products, root);
        let mut spent = 0;
        loop {
            let (pairs, products) = self.update(objective, theta, root, &at.gradient, &own)?;
            spent += products;
            let smallest = pairs.last().map_or(0.0, |pair| pair.value);
            let full = self.count >= objective.dim().min(self.settings.most);
            if full || smallest <= self.settings.above {
                self.last = Some((root.to_vec(), theta.to_vec(), at.gradient.clone()));
                return Ok(Here { at, pairs, products: spent });
            }
            self.count += 2;
            (self.tracker, own) = (None, Vec::new());
        }
    }

    fn update(
        &mut self,
        objective: &dyn Objective,
        theta: &[f64],
        root: &[f64],
        gradient: &[f64],
        products: &[f64],
    ) -> Result<(Vec<EigenPair>, usize)> {
        let dim = objective.dim();
        let tracker = match &mut self.tracker {
            Some(tracker) => tracker,
            empty => {
                let TopSettings { tolerance, seed, .. } = self.settings;
                let settings = TrackerSettings {
                    seed,
                    audit_every: 200,
                    ..TrackerSettings::new(self.count.min(dim), tolerance)
                };
                let Some(follow) = Solver::Davidson.method().follow else {
                    unreachable!("Davidson's method follows")
                };
                empty.insert(follow(dim, settings))
            }
        };
        let change = self.last.as_ref().map(|(_, before, then)| {
            let s: Vec<f64> =
                theta.iter().zip(before).zip(root).map(|((a, b), d)| (a - b) / d).collect();
            let y: Vec<f64> =
                gradient.iter().zip(then).zip(root).map(|((a, b), d)| (a - b) * d).collect();
            (s, y)
        });
        let change = change.filter(|(s, _)| dot(s, s) > 0.0);
        let secant = change.as_ref().map(|(s, y)| Secant { s, y });
        let preconditioner = Some(root.iter().map(|d| 1.0 / (d * d)).collect());
        let operator = StabilityOperator { preconditioner, ..StabilityOperator::default() };
        let mut matrix = Preconditioned::new(Hessian::new(objective), &operator)?;
        let tracked = tracker.update(&mut matrix, products, secant)?;
        Ok((tracked.pairs, tracked.products))
    }
}

/// Each vector of a block times the diagonal.
pub(super) fn scaled(block: &[f64], diagonal: &[f64]) -> Vec<f64> {
    block.iter().zip(diagonal.iter().cycle()).map(|(x, d)| x * d).collect()
}
