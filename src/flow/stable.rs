//! The optimizer without its oscillation.

use super::Law;
use super::point::{Flow, FlowPoint, Oscillation};
use super::top::{Here, TopSettings, TopSpace};
use crate::autodiff::{Objective, Samples};
use crate::error::{Error, Result, check_length};

/// Steps of Euler's method to a step of the optimizer, at least.
const SUBSTEPS: f64 = 4.0;

/// With this much curvature, of 2 at the edge, it has left the optimizer for long: it is no longer followed.
const MOST: f64 = 100.0;

/// The stable flow (Cohen et al. 2024, arXiv:2410.24206): the central flow without an oscillation, whatever the
/// sharpness does.
///
/// ```text
/// dw/dt = -P^-1 g
/// d nu/dt = (1 - beta2)/beta2 (g^2 - nu)
/// ```
///
/// By max(4, ceil(2 S)) steps of Euler's method to a step of the optimizer, S being the largest eigenvalue of
/// P^-1 H; it ends where S is above 100.
pub struct StableFlow {
    law: Law,
    theta: Vec<f64>,
    nu: Vec<f64>,
    top: TopSpace,
    spent: usize,
}

impl StableFlow {
    /// From `theta` (length P), with `nu` (length P) where the law follows one and none else.
    pub fn new(law: Law, theta: Vec<f64>, nu: Vec<f64>, settings: TopSettings) -> Self {
        // One is enough to say how stiff it is.
        let settings = TopSettings { above: f64::INFINITY, ..settings };
        Self { law, theta, nu, top: TopSpace::new(settings), spent: 0 }
    }
}

impl Flow for StableFlow {
    fn step(&mut self, objective: &mut dyn Objective, lr: f64) -> Result<FlowPoint> {
        check_length("parameter vector", self.theta.len(), objective.dim())?;
        let root = self.law.inverse_root(lr, &self.nu, self.theta.len());
        let here = self.top.measure(objective, &self.theta, &root)?;
        let stiffness = here.pairs.first().map_or(0.0, |pair| pair.value);
        let mut point = point(&self.theta, &here, Vec::new());
        point.products = std::mem::take(&mut self.spent) + here.products + 1;
        if stiffness > MOST {
            let reason = format!("the sharpness is {:.0} times the threshold", stiffness / 2.0);
            return Err(Error::State { what: "following the stable flow", reason });
        }
        let substeps = (2.0 * stiffness).ceil().max(SUBSTEPS);
        let mut gradient = here.at.gradient;
        for substep in 0..substeps as usize {
            if substep > 0 {
                objective.set_parameters(&self.theta)?;
                gradient = objective.gradient(Samples::All)?.gradient;
                self.spent += 1;
            }
            let root = self.law.inverse_root(lr, &self.nu, self.theta.len());
            let moves = self.theta.iter_mut().zip(&gradient).zip(&root);
            moves.for_each(|((w, g), d)| *w -= d * d * g / substeps);
            self.law.follow(&mut self.nu, 1.0 / substeps, |i| gradient[i] * gradient[i]);
        }
        Ok(point)
    }
}

/// What is known at a point, with what oscillates there.
pub(super) fn point(theta: &[f64], here: &Here, oscillations: Vec<Oscillation>) -> FlowPoint {
    let extra: f64 = oscillations.iter().map(|o| 0.5 * o.variance * o.curvature).sum();
    FlowPoint {
        theta: theta.to_vec(),
        evaluation: here.at.evaluation,
        gradient: here.at.gradient.clone(),
        curvatures: here.pairs.iter().map(|pair| pair.value).collect(),
        oscillations,
        expected_loss: here.at.evaluation.loss + extra,
        violation: 0.0,
        products: 0,
    }
}
