//! The curvature that sign descent may meet.

use super::{At, Measured, spectral_sharpness};
use crate::curvature::UnitBall;
use crate::error::Result;

/// max d'Hd over |d_i| <= 1, as the largest that a search from several starts meets: a lower bound. Beside it
/// the edge of w -= eta sign(g), 2 ||g||_1/eta; where the step is eta ||g||_1 sign(g) it is 2/eta (Islamov
/// et al. 2026).
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    spectral_sharpness::within(&UnitBall::Signs, at)
}
