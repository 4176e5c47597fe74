//! Which classes push along the top eigenvector.

use super::{At, Measured};
use crate::autodiff::Samples;
use crate::error::Result;
use crate::linalg::dot;

/// (n_c/N) u'g_c of each class c of n_c samples, g_c the gradient of their mean loss and u the eigenvector of
/// the largest eigenvalue, with the sign that makes u'g no less than 0: they add up to it.
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    let Some(top) = at.eigenvectors.first() else { return Ok(Measured::default()) };
    let sign = if dot(top, at.gradient) < 0.0 { -1.0 } else { 1.0 };
    let mut values = Vec::new();
    for class in at.classes {
        if class.is_empty() {
            values.push(0.0);
            continue;
        }
        let gradient = at.objective.gradient(Samples::Batch(class))?.gradient;
        let share = class.len() as f64 / at.objective.samples() as f64;
        values.push(sign * share * dot(top, &gradient));
    }
    Ok(Measured::all(values, 0))
}
