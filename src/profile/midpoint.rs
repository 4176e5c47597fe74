//! What is measured at the midpoint of an oscillation, (theta_{t-1} + 2 theta_t + theta_{t+1})/4: there the
//! eigenvalues are those that a flow has, which averages over the oscillation (Cohen et al. 2025).

use super::Realized;
use super::mechanism::{self, Midpoint};
use super::step::{Eigenvalues, Known, Objectives, Start, StepMeter, record};
use crate::autodiff::Samples;
use crate::curvature::Tracking;
use crate::error::Result;
use crate::optim::StabilityOperator;
use crate::record::StepRow;

/// The midpoint, from the parameters before, those of the step, and the update from there (length P each).
pub(super) fn midpoint([previous, theta, change]: [&[f64]; 3]) -> Vec<f64> {
    let middle = |((before, at), s): ((&f64, &f64), &f64)| (before + 3.0 * at + s) / 4.0;
    previous.iter().zip(theta).zip(change).map(middle).collect()
}

/// (theta_{t-1} - 2 theta_t + theta_{t+1})/4, the way from theta_t to the midpoint.
fn swing([previous, theta, change]: [&[f64]; 3]) -> Vec<f64> {
    let way = |((before, at), s): ((&f64, &f64), &f64)| (before - at + s) / 4.0;
    previous.iter().zip(theta).zip(change).map(way).collect()
}

impl StepMeter {
    /// What is known of eigenvalues that are followed, before the first, where the solver follows them.
    pub fn tracking(&self) -> Option<Tracking> {
        let tracking = self.meter.tracking()?;
        Some(if self.midpoint_sharpness { tracking.with_midpoints() } else { tracking })
    }

    /// Whether the parameters before those of a step are needed at it.
    pub(crate) fn looks_back(&self) -> bool {
        self.midpoint_sharpness || self.realized == Realized::Midpoint
    }

    /// Eigenvalues and the mechanism at the midpoint, where the objectives are left. What an audit finds there is
    /// repaired without a word: no event is about midpoints.
    pub(super) fn fill_midpoint_curvature(
        &self,
        row: &mut StepRow,
        objectives: &mut Objectives<'_>,
        start: Start<'_>,
        operator: &StabilityOperator,
        tracking: Option<&mut Tracking>,
    ) -> Result<()> {
        let (true, Some(previous), Some(change)) =
            (self.midpoint_sharpness, start.previous, start.update)
        else {
            return Ok(());
        };
        let theta = &midpoint([previous, start.theta, change])[..];
        let tracking = tracking.and_then(Tracking::at_midpoints);
        let objective = objectives.of_curvature();
        objective.set_parameters(theta)?;
        let probe = tracking.as_ref().map(|tracking| tracking.probe());
        let (evaluated, products) = objective.gradient_and_hvps(&probe.unwrap_or_default())?;
        let known = Some(Known { gradient: &evaluated.gradient, products: &products });
        let found = self.eigenvalues(objective, operator, theta, known, row.step, tracking)?;
        enter(row, &found, operator);
        let Some(difference) = &self.mechanism else { return Ok(()) };
        let gradient = match objectives.curvature {
            None => evaluated.gradient,
            Some(_) => {
                objectives.train.set_parameters(theta)?;
                objectives.train.gradient(Samples::All)?.gradient
            }
        };
        let at = Midpoint {
            theta,
            swing: &swing([previous, start.theta, change]),
            gradient: &gradient,
            operator,
            top: found.preconditioned.as_ref().unwrap_or(&found.hessian),
        };
        mechanism::enter(row, objectives.of_curvature(), &at, difference)
    }
}

fn enter(row: &mut StepRow, found: &Eigenvalues, operator: &StabilityOperator) {
    let Eigenvalues { hessian, preconditioned, .. } = found;
    record(hessian, row);
    row.midpoint_sharpness = hessian.lambda.first().copied();
    row.midpoint_lambda.clone_from(&hessian.lambda);
    if let Some(solved) = preconditioned {
        record(solved, row);
        row.midpoint_preconditioned_sharpness = solved.lambda.first().copied();
    } else if !operator.is_hessian() {
        row.midpoint_preconditioned_sharpness = row.midpoint_sharpness.map(|s| s + operator.shift);
    }
}
