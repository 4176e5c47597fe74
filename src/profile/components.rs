//! Gradient and step along the followed eigenvectors: where each mode of the local quadratic stands, and how it
//! moves.

use std::borrow::Cow;

use super::step::Start;
use crate::curvature::{Curvature, Metric};
use crate::error::Result;
use crate::linalg::dot;
use crate::optim::StabilityOperator;
use crate::record::StepRow;

/// The modes of a row whose step is known later: the eigenvectors v_i of the operator that its threshold bounds, in
/// the metric of the operator's preconditioner P.
#[derive(Debug)]
pub struct Modes {
    signs: Vec<f64>,
    vectors: Vec<Vec<f64>>,
    metric: Option<Metric>,
}

/// Enters |v_i'P^-1/2 g| for the eigenvectors v_i of `top`, which are those of `operator`, P its preconditioner, and
/// v_i'P^1/2 s, with the sign of v_i that makes the first positive, for the update s, if it is known. g is the gradient
/// of the training loss and of the weight decay that is in the operator. Returns what it takes to enter the update later.
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
    let (metric, shortened) = if operator.is_hessian() {
        (None, Cow::Borrowed(gradient))
    } else {
        let metric = Metric::of(operator, gradient.len())?;
        let decayed = |(g, x): (&f64, &f64)| g + operator.shift * x;
        let mut shortened: Vec<f64> = gradient.iter().zip(start.theta).map(decayed).collect();
        metric.shorten(&mut shortened);
        (Some(metric), Cow::Owned(shortened))
    };
    let along: Vec<f64> = top.eigenvectors().map(|vector| dot(&shortened, vector)).collect();
    row.gradient_component = along.iter().map(|along| along.abs()).collect();
    let signs: Vec<f64> = along.iter().map(|along| along.signum()).collect();
    if let Some(update) = start.update {
        row.step_component = steps(&signs, top.eigenvectors(), metric.as_ref(), update);
        return Ok(None);
    }
    let vectors = top.eigenvectors().map(<[f64]>::to_vec).collect();
    Ok(Some(Modes { signs, vectors, metric }))
}

impl Modes {
    /// Enters v_i'P^1/2 s for the update s (length P).
    pub(super) fn enter_step(&self, row: &mut StepRow, update: &[f64]) {
        let vectors = self.vectors.iter().map(|vector| &vector[..]);
        row.step_component = steps(&self.signs, vectors, self.metric.as_ref(), update);
    }
}

fn steps<'a>(
    signs: &[f64],
    vectors: impl Iterator<Item = &'a [f64]>,
    metric: Option<&Metric>,
    update: &[f64],
) -> Vec<f64> {
    let mut lengthened = Cow::Borrowed(update);
    if let Some(metric) = metric {
        metric.lengthen(lengthened.to_mut());
    }
    signs.iter().zip(vectors).map(|(sign, vector)| sign * dot(&lengthened, vector)).collect()
}
