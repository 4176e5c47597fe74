//! The curvature that gradient descent's step would see.

use super::{At, Measured};
use crate::error::Result;
use crate::linalg::{dot, norm};

/// g'Hg / ||g||^2 with the gradient g of the training loss (Pan and Li 2023). None at a stationary point.
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    let length = norm(at.gradient);
    if length == 0.0 {
        return Ok(Measured::default());
    }
    let product = at.objective.hvp(at.gradient)?;
    Ok(Measured::one(dot(at.gradient, &product) / (length * length), 1))
}
