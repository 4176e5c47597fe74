//! What weight decay does to the sharpness.

use super::{At, Measured};
use crate::curvature::{DifferenceStep, curvature_gradients};
use crate::error::Result;
use crate::linalg::{dot, norm};

/// Half the distance between the two points of the difference, over the norm of the parameters: small beside
/// what changes the curvature, and far above the rounding of single precision.
const STEP: f64 = 1e-3;

/// cos(theta, grad S), S = u'Hu being the largest eigenvalue: shrinking the weights lowers the sharpness
/// exactly if it is above 0 (Saether et al. 2026). grad S is [`curvature_gradients`]' of u and u. None where
/// either is zero.
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    let length = norm(at.theta);
    let Some(top) = at.eigenvectors.first().filter(|_| length > 0.0) else {
        return Ok(Measured::default());
    };
    let difference = DifferenceStep { resolution: 0.0, length: Some(STEP * length) };
    let directions = [top.to_vec()];
    let found = curvature_gradients(at.objective, at.theta, &directions, &difference)?;
    let gradient = &found.gradients[0];
    let size = norm(gradient) * length;
    let cosine = (size != 0.0).then(|| dot(at.theta, gradient) / size);
    Ok(Measured::one(cosine, found.products))
}
