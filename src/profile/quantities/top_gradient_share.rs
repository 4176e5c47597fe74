//! How much of the gradient lies among the top eigenvectors.

use super::{At, Measured};
use crate::error::Result;
use crate::linalg::dot;

/// ||U'g||^2 / ||g||^2, U the eigenvectors that were found (Gur-Ari et al. 2018). None at a stationary point.
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    let square = dot(at.gradient, at.gradient);
    if square == 0.0 || at.eigenvectors.is_empty() {
        return Ok(Measured::default());
    }
    let inside: f64 = at.eigenvectors.iter().map(|u| dot(u, at.gradient).powi(2)).sum();
    Ok(Measured::one(inside / square, 0))
}
