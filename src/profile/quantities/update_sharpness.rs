//! The curvature that the update sees along its own direction.

use super::{At, Measured};
use crate::error::Result;
use crate::linalg::{dot, norm};

/// s'Hs / ||s||^2 with the update s taken from there (normalised directional sharpness). None where nothing
/// moves, or where the update is not known when the row is measured.
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    let Some(update) = at.update.filter(|update| norm(update) > 0.0) else {
        return Ok(Measured::default());
    };
    let product = at.objective.hvp(update)?;
    Ok(Measured::one(dot(update, &product) / norm(update).powi(2), 1))
}
