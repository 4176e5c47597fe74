//! A probe that catches dropout and other randomness before curvature is computed from it.

use super::{Objective, Samples};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::linalg::norm;

/// Evaluates the gradient twice at the current parameters and compares. One that is not finite tells nothing of
/// randomness; whoever trains sees that it is a divergence.
///
/// # Errors
/// [`Error::NotDeterministic`] if they differ by more than rounding: 5e-5 of the norm in single
/// precision, 1e-10 in double. Gradients that are not finite cannot be compared, and pass: what is trained
/// diverges.
pub fn check_determinism(objective: &dyn Objective, precision: Precision) -> Result<()> {
    let allowed = match precision {
        Precision::F32 => 5e-5,
        Precision::F64 => 1e-10,
    };
    let first = objective.gradient(Samples::All)?.gradient;
    let second = objective.gradient(Samples::All)?.gradient;
    if !norm(&first).is_finite() && !norm(&second).is_finite() {
        return Ok(());
    }
    let difference: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a - b).collect();
    let (difference, scale) = (norm(&difference), norm(&first));
    if !scale.is_finite() && !norm(&second).is_finite() {
        return Ok(());
    }
    // Written so that an undefined difference does not pass.
    let agree = difference <= allowed * scale;
    if !agree {
        return Err(Error::NotDeterministic { difference: difference / scale, allowed });
    }
    Ok(())
}
