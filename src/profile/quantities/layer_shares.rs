//! Which layers the top eigenvector is in.

use super::{At, Measured};
use crate::curvature::{groups, shares};
use crate::error::Result;

/// ||u_l||^2 of each layer l, u the unit eigenvector of the largest eigenvalue: they add up to 1.
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    let Some(top) = at.eigenvectors.first() else { return Ok(Measured::default()) };
    Ok(Measured::all(shares(top, &groups(at.objective.layout())), 0))
}
