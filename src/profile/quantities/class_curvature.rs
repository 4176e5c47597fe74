//! Which classes make the largest eigenvalue.

use super::{At, Measured};
use crate::autodiff::Samples;
use crate::error::Result;
use crate::linalg::dot;

/// (n_c/N) u'H_c u of each class c of n_c samples, H_c the Hessian of their mean loss and u the eigenvector of
/// the largest eigenvalue: they add up to it. Together the products are over all samples once.
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    let Some(top) = at.eigenvectors.first() else { return Ok(Measured::default()) };
    let (mut values, mut products) = (Vec::new(), 0);
    for class in at.classes {
        if class.is_empty() {
            values.push(0.0);
            continue;
        }
        let product = at.objective.hvp_over(Samples::Batch(class), top)?;
        let share = class.len() as f64 / at.objective.samples() as f64;
        values.push(share * dot(top, &product));
        products += 1;
    }
    Ok(Measured::all(values, products))
}
