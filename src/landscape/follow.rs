//! The largest Hessian eigenvalues from one point of a path to the next.

use crate::autodiff::{Evaluation, Objective};
use crate::curvature::Hessian;
use crate::error::{Error, Result};
use crate::linalg::{Follow, Secant, Solver, Tracked, TrackerSettings, dot};

/// How eigenvalues are followed along a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FollowSettings {
    /// How many of the largest.
    pub top: usize,
    /// Relative residual at which an eigenvalue has converged.
    pub tolerance: f64,
    /// Points from one solve from nothing to the next, which finds what was passed over. Points of a path are
    /// farther apart than steps of training, so that fewer of them lie between two.
    pub audit_every: usize,
    /// Most Hessian-vector products at one point.
    pub max_products: usize,
    /// Seed of the random vectors.
    pub seed: u64,
}

impl FollowSettings {
    /// That many eigenvalues, to a relative residual of 1e-3.
    pub fn new(top: usize) -> Self {
        Self { top, tolerance: 1e-3, audit_every: 4, max_products: 20 * (top + 1).max(5), seed: 0 }
    }
}

/// The largest Hessian eigenvalues at a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Sharpness {
    /// The eigenvalues, largest first. The first is the sharpness.
    pub lambda: Vec<f64>,
    /// ||Hu - lambda u|| / |lambda| of each.
    pub residual: Vec<f64>,
    /// |<u, u'>| of each unit eigenvector u with u', that of the same rank at the point before; none at the
    /// first point.
    pub overlap: Vec<f64>,
    /// Whether all of them met the tolerance.
    pub converged: bool,
    /// Hessian-vector products spent.
    pub products: usize,
}

/// Follows the largest eigenpairs of the Hessian along a path: each point starts from what was found at the
/// one before (Davidson's method, [`crate::linalg::Tracker`]).
pub struct SharpnessFollower {
    settings: FollowSettings,
    tracker: Option<Box<dyn Follow>>,
    /// Parameters and gradient at the last point.
    last: Option<(Vec<f64>, Vec<f64>)>,
    vectors: Vec<Vec<f64>>,
}

impl SharpnessFollower {
    /// With nothing known yet.
    pub fn new(settings: FollowSettings) -> Self {
        Self { settings, tracker: None, last: None, vectors: Vec::new() }
    }

    /// Moves the objective to `theta` (length P): its loss there, and its sharpness, which is none where the
    /// loss or a product is not finite.
    ///
    /// # Errors
    /// [`Error::Length`] for another length than P; or if the device reports failure.
    pub fn measure(
        &mut self,
        objective: &mut dyn Objective,
        theta: &[f64],
    ) -> Result<(Evaluation, Option<Sharpness>)> {
        objective.set_parameters(theta)?;
        let probe = self.tracker.as_ref().map_or(&[][..], |tracker| tracker.directions());
        let (at, products) = objective.gradient_and_hvps(probe)?;
        let finite = at.evaluation.loss.is_finite()
            && at.gradient.iter().chain(&products).all(|x| x.is_finite());
        if !finite {
            self.forget();
            return Ok((at.evaluation, None));
        }
        let found = self.update(objective, theta, &at.gradient, &products);
        match found {
            Ok(tracked) => {
                self.last = Some((theta.to_vec(), at.gradient));
                Ok((at.evaluation, Some(self.sharpness(tracked))))
            }
            Err(Error::NonFinite { .. }) => {
                self.forget();
                Ok((at.evaluation, None))
            }
            Err(error) => Err(error),
        }
    }

    /// The unit eigenvectors at the last point, of length P each, in the order of the eigenvalues.
    pub fn vectors(&self) -> &[Vec<f64>] {
        &self.vectors
    }

    /// Gives up what is known: the next point is solved from nothing.
    pub fn forget(&mut self) {
        *self = Self::new(self.settings);
    }

    fn update(
        &mut self,
        objective: &dyn Objective,
        theta: &[f64],
        gradient: &[f64],
        products: &[f64],
    ) -> Result<Tracked> {
        let FollowSettings { top, tolerance, audit_every, max_products, seed } = self.settings;
        let dim = objective.dim();
        let tracker = match &mut self.tracker {
            Some(tracker) => tracker,
            empty => {
                let settings = TrackerSettings {
                    audit_every,
                    max_products,
                    audit_products: max_products,
                    seed,
                    ..TrackerSettings::new(top.min(dim), tolerance)
                };
                let Some(follow) = Solver::Davidson.method().follow else {
                    unreachable!("Davidson's method follows")
                };
                empty.insert(follow(dim, settings))
            }
        };
        let difference =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let change = self
            .last
            .as_ref()
            .map(|(before, then)| (difference(theta, before), difference(gradient, then)))
            .filter(|(s, _)| dot(s, s) > 0.0);
        let secant = change.as_ref().map(|(s, y)| Secant { s, y });
        tracker.update(&mut Hessian::new(objective), products, secant)
    }

    fn sharpness(&mut self, tracked: Tracked) -> Sharpness {
        let pairs = tracked.pairs;
        let (lambda, residual) = pairs.iter().map(|pair| (pair.value, pair.residual)).unzip();
        let converged = pairs.iter().all(|pair| pair.converged);
        let vectors: Vec<Vec<f64>> = pairs.into_iter().map(|pair| pair.vector).collect();
        let pairs = vectors.iter().zip(&self.vectors);
        let overlap = pairs.map(|(u, v)| dot(u, v).abs().min(1.0)).collect();
        self.vectors = vectors;
        Sharpness { lambda, residual, overlap, converged, products: tracked.products }
    }
}
