//! The realized edge: whether the step about to be taken lowers the loss that it descends, as far as the
//! local quadratic tells.
//!
//! Along the step s the loss L of the step's samples, with gradient g and Hessian H where the step starts,
//! changes by g's + s'Hs/2 on a quadratic: it falls exactly if r = s'Hs / (-2 g's) < 1. That holds for
//! every optimizer, whatever its threshold (for gradient descent r = eta g'Hg / (2 ||g||^2)). It is no
//! statement about stability: with momentum single steps may ascend while training is stable.
//!
//! s'Hs is a product with H. From the gradients or losses at both ends of s it would be 2/eta by
//! construction in any two-cycle of gradient descent, whatever the curvature.

use super::midpoint::midpoint;
use crate::autodiff::{Objective, Samples};
use crate::error::Result;
use crate::linalg::dot;
use crate::names::choices;
use crate::record::StepRow;

choices! {
    /// Where the realized edge is measured.
    #[derive(Default)]
    pub enum Realized ("place of the realized edge") {
        /// Nowhere.
        Off = "off",
        /// Where the step starts.
        #[default]
        Step = "step",
        /// There, and with the curvature at the midpoint of the oscillation,
        /// (theta_{t-1} + 2 theta_t + theta_{t+1})/4.
        Midpoint = "midpoint",
    }
}

/// The loss that a step descends, where it starts.
#[derive(Debug, Clone, Copy)]
pub struct Descended<'a> {
    /// The samples, among those of the training objective.
    pub samples: Samples<'a>,
    /// The gradient over them there (length P).
    pub gradient: &'a [f64],
}

/// Enters the realized ratio of the step `change` (length P). `objective` stands where the step starts.
///
/// # Errors
/// If the device reports failure.
pub(super) fn enter(
    row: &mut StepRow,
    objective: &dyn Objective,
    descended: Descended<'_>,
    change: &[f64],
) -> Result<()> {
    row.step_is_ascent = None;
    if change.iter().all(|s| *s == 0.0) {
        return Ok(());
    }
    let slope = dot(descended.gradient, change);
    row.step_is_ascent = slope.is_finite().then_some(slope >= 0.0);
    if slope < 0.0 {
        let curvature = curvature(row, objective, descended, change)?;
        row.step_curvature = curvature.is_finite().then_some(curvature);
        row.realized_ratio = ratio(curvature, slope);
    }
    Ok(())
}

/// Enters the same with the curvature at the midpoint, where it leaves the objective. The slope stays that
/// of the start: at the midpoint of a two-cycle there is none along the step.
///
/// # Errors
/// If the device reports failure.
pub(super) fn enter_midpoint(
    row: &mut StepRow,
    objective: &mut dyn Objective,
    descended: Descended<'_>,
    [previous, theta, change]: [&[f64]; 3],
) -> Result<()> {
    if row.step_is_ascent != Some(false) {
        return Ok(());
    }
    objective.set_parameters(&midpoint([previous, theta, change]))?;
    let curvature = curvature(row, objective, descended, change)?;
    row.realized_ratio_midpoint = ratio(curvature, dot(descended.gradient, change));
    Ok(())
}

/// s'Hs.
fn curvature(
    row: &mut StepRow,
    objective: &dyn Objective,
    descended: Descended<'_>,
    change: &[f64],
) -> Result<f64> {
    let product = objective.hvp_over(descended.samples, change)?;
    row.hvps += 1;
    Ok(dot(change, &product))
}

/// s'Hs / (-2 g's); nothing where that is no number, as where training diverges.
fn ratio(curvature: f64, slope: f64) -> Option<f64> {
    let ratio = curvature / (-2.0 * slope);
    ratio.is_finite().then_some(ratio)
}
