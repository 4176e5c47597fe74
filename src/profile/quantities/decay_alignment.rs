//! What weight decay does to the sharpness.

use super::{At, Measured};
use crate::error::Result;
use crate::linalg::{dot, norm};

/// Half the distance between the two points of the difference, over the norm of the parameters: small beside
/// what changes the curvature, and far above the rounding of single precision.
const STEP: f64 = 1e-3;

/// cos(theta, grad S), S = u'Hu being the largest eigenvalue: shrinking the weights lowers the sharpness
/// exactly if it is above 0 (Saether et al. 2026). grad S is the third derivative along u twice, taken as
/// the central difference (H(theta + h u) - H(theta - h u)) u / 2h. None where either is zero.
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    let length = norm(at.theta);
    let Some(top) = at.eigenvectors.first().filter(|_| length > 0.0) else {
        return Ok(Measured::default());
    };
    let h = STEP * length;
    let mut product = |sign: f64| {
        let point: Vec<f64> = at.theta.iter().zip(*top).map(|(w, u)| w + sign * h * u).collect();
        at.objective.set_parameters(&point)?;
        at.objective.hvp(top)
    };
    let (up, down) = (product(1.0)?, product(-1.0)?);
    at.objective.set_parameters(at.theta)?;
    let gradient: Vec<f64> = up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * h)).collect();
    let size = norm(&gradient) * length;
    Ok(Measured::one((size != 0.0).then(|| dot(at.theta, &gradient) / size), 2))
}
