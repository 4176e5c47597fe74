//! Gradient and step along the followed eigenvectors: where each mode of the local quadratic stands, and how it
//! moves.

use super::step::Start;
use crate::curvature::{Curvature, Metric};
use crate::error::Result;
use crate::linalg::dot;
use crate::optim::StabilityOperator;
use crate::record::StepRow;

/// Enters |v_i'P^-1/2 g| and v_i'P^1/2 s, with the sign of v_i that makes the first positive, for the eigenvectors v_i
/// of `top`, which are those of `operator`, P its preconditioner. g is the gradient of the training loss and of
/// the weight decay that is in the operator, s the update.
///
/// # Errors
/// [`crate::Error::Length`] if the preconditioner has another length than the gradient.
pub(super) fn enter(
    row: &mut StepRow,
    top: &Curvature,
    operator: &StabilityOperator,
    start: Start<'_>,
) -> Result<()> {
    let Some(gradient) = start.gradient else { return Ok(()) };
    let metric = Metric::of(operator, gradient.len())?;
    let decayed = |(g, x): (&f64, &f64)| g + operator.shift * x;
    let mut shortened: Vec<f64> = gradient.iter().zip(start.theta).map(decayed).collect();
    metric.shorten(&mut shortened);
    let lengthened = start.update.map(|update| {
        let mut update = update.to_vec();
        metric.lengthen(&mut update);
        update
    });
    for vector in top.eigenvectors() {
        let along = dot(&shortened, vector);
        row.gradient_component.push(along.abs());
        if let Some(update) = &lengthened {
            row.step_component.push(along.signum() * dot(update, vector));
        }
    }
    Ok(())
}
