//! The mechanism that holds the sharpness at the edge of stability, in numbers (Damian et al. 2023; Cohen et
//! al. 2025): the loss sharpens as it falls, and an oscillation along the top eigenvector pushes back.
//!
//! All is measured at the midpoint of the oscillation, c = (theta_{t-1} + 2 theta_t + theta_{t+1})/4. With x
//! the way from there along the unit eigenvector u of the sharpness S, the gradient of the loss L where
//! training stands is grad L(c) + x S u + x^2 grad S/2: on the plateau the last term cancels alpha to first
//! order, so that at the iterates nothing of it would be seen.
//!
//! For an optimizer that divides by P, lengths and inner products are those of P: S is the largest eigenvalue
//! of P^-1/2 (H + lambda I) P^-1/2, P taken as fixed, and the direction v = P^-1/2 u has v'Pv = 1.

use crate::autodiff::{Objective, OutputMatrix};
use crate::curvature::{Curvature, DifferenceStep, Metric, curvature_gradients};
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::optim::StabilityOperator;
use crate::record::StepRow;

/// The midpoint of an oscillation, with what is known there.
pub(super) struct Midpoint<'a> {
    /// The parameters there (length P).
    pub theta: &'a [f64],
    /// (theta_{t-1} - 2 theta_t + theta_{t+1})/4 (length P): minus the way from there to theta_t, in an
    /// oscillation of period 2.
    pub swing: &'a [f64],
    /// The gradient of the training loss there (length P).
    pub gradient: &'a [f64],
    /// The operator that the optimizer's threshold bounds.
    pub operator: &'a StabilityOperator,
    /// The largest eigenvalue of its H, or of all of it where it has a preconditioner, with its vector.
    pub top: &'a Curvature,
}

/// Enters what is measured at a midpoint. `objective`, of which the sharpness is, is left there.
///
/// # Errors
/// [`Error::NonFinite`] if a product is not finite; or if the device reports failure.
pub(super) fn enter(
    row: &mut StepRow,
    objective: &mut dyn Objective,
    at: &Midpoint<'_>,
    difference: &DifferenceStep,
) -> Result<()> {
    let Some(&lambda) = at.top.lambda.first() else { return Ok(()) };
    let metric = Metric::of(at.operator, at.theta.len())?;
    let mut v = at.top.top_vector.clone();
    metric.shorten(&mut v);
    let found = curvature_gradients(objective, at.theta, std::slice::from_ref(&v), difference)?;
    row.hvps += found.products + 1;
    // With a preconditioner weight decay is in the eigenvalue, else not.
    let decay = at.operator.shift;
    let (bare, sharpness) = match at.operator.preconditioner {
        Some(_) => (lambda - decay * dot(&v, &v), lambda),
        None => (lambda, lambda + decay),
    };
    row.gauss_newton_share = share(gauss_newton(objective, &v)?, bare);

    let Some(mut slope) = found.gradients.into_iter().next() else { return Ok(()) };
    let size = norm(&slope);
    row.sharpness_gradient_error = share(found.error.first().copied(), size);
    row.sharpness_alignment = share(Some(dot(at.theta, &slope)), norm(at.theta) * size);
    metric.shorten(&mut slope);
    let mut descent: Vec<f64> =
        at.gradient.iter().zip(at.theta).map(|(g, w)| g + decay * w).collect();
    metric.shorten(&mut descent);
    let (alpha, beta) = (-dot(&descent, &slope), dot(&slope, &slope));
    row.alpha = Some(alpha);
    row.beta = Some(beta);
    row.predicted_variance = share(Some(2.0 * alpha.max(0.0)), beta);

    let mut swing = at.swing.to_vec();
    metric.lengthen(&mut swing);
    let variance = dot(&at.top.top_vector, &swing).powi(2);
    row.measured_variance = Some(variance);
    row.curvature_length = share(Some(sharpness), beta.sqrt());
    row.flatness_force_share = share(Some(variance * beta.sqrt()), 2.0 * norm(&descent));
    enter_gap(row);
    Ok(())
}

/// u'Gu with the Gauss-Newton matrix G; none for a loss whose task does not say what its outputs are.
fn gauss_newton(objective: &dyn Objective, u: &[f64]) -> Result<Option<f64>> {
    match objective.output_product(OutputMatrix::GaussNewton, u) {
        Ok(product) => Ok(Some(dot(u, &product))),
        Err(Error::Numerical { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A quotient, where it is a number.
fn share(part: Option<f64>, whole: f64) -> Option<f64> {
    part.map(|part| part / whole).filter(|share| share.is_finite())
}

/// What noise leaves of the way to the edge: 2/eta - S at which the variance that minibatches of gradient
/// noise sigma^2 along u keep up, eta sigma^2/(2 (2/eta - S)), is 2 alpha/beta (Liao et al. 2026). Only of
/// gradient descent without momentum, where both of batch sharpness's edges are one.
fn enter_gap(row: &mut StepRow) {
    let (Some(alpha), Some(beta)) = (row.alpha.filter(|alpha| *alpha > 0.0), row.beta) else {
        return;
    };
    if row.batch_edge_small.is_none() || row.batch_edge_small != row.batch_edge_large {
        return;
    }
    let gap = |variance: Option<f64>| {
        variance.map(|variance| row.lr * beta * variance / (4.0 * alpha)).filter(|x| x.is_finite())
    };
    (row.predicted_gap, row.predicted_gap_se) =
        (gap(row.top_gradient_variance), gap(row.top_gradient_variance_se));
}
