//! Gradient and step along the followed eigenvectors: where each mode of the local quadratic stands, and how it
//! moves.

use super::step::Start;
use crate::curvature::{Curvature, Metric};
use crate::error::Result;
use crate::linalg::dot;
use crate::optim::StabilityOperator;
use crate::record::StepRow;

/// The modes of a row: the eigenvectors v_i of the operator that its threshold bounds, with the sign that makes the
/// gradient's component along them positive, in the metric of the operator's preconditioner P.
#[derive(Debug)]
pub struct Modes {
    vectors: Vec<(f64, Vec<f64>)>,
    metric: Metric,
}

/// Enters |v_i'P^-1/2 g|, for the eigenvectors v_i of `top`, which are those of `operator`, P
/// its preconditioner. g is the gradient of the training loss and of
/// the weight decay that is in the operator. The modes are there where a gradient is.
///
/// # Errors
/// [`crate::Error::Length`] if the preconditioner has another length than the gradient.
pub(super) fn enter(
    row: &mut StepRow,
    top: &Curvature,
    operator: &StabilityOperator,
    start: Start<'_>,
) -> Result<Option<Modes>> {
    let Some(gradient) = start.gradient else { return Ok(None) };
    let metric = Metric::of(operator, gradient.len())?;
    let decayed = |(g, x): (&f64, &f64)| g + operator.shift * x;
    let mut shortened: Vec<f64> = gradient.iter().zip(start.theta).map(decayed).collect();
    metric.shorten(&mut shortened);
    let mut vectors = Vec::new();
    for vector in top.eigenvectors() {
        let along = dot(&shortened, vector);
        row.gradient_component.push(along.abs());
        vectors.push((along.signum(), vector.to_vec()));
    }
    Ok(Some(Modes { vectors, metric }))
}

impl Modes {
    /// Enters v_i'P^1/2 s for the update s (length P).
    pub(super) fn enter_step(&self, row: &mut StepRow, update: &[f64]) {
        let mut lengthened = update.to_vec();
        self.metric.lengthen(&mut lengthened);
        let along = |(sign, vector): &(f64, Vec<f64>)| sign * dot(&lengthened, vector);
        row.step_component = self.vectors.iter().map(along).collect();
    }
}
