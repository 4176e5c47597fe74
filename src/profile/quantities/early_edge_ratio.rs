//! The edge of Adam's first steps.

use super::{At, Measured};
use crate::error::Result;

/// The edge ratio over 1 - beta1^t at Adam's t-th step, whose rate is that much larger than that of late
/// steps: the largest eigenvalue of P^-1/2 H P^-1/2 over the threshold times 1 - beta1^t (Bai et al. 2026 put
/// the factor into the operator). None for optimizers without a bias correction.
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    let ratio = at.row.edge_ratio.zip(at.early_factor).map(|(ratio, factor)| ratio / factor);
    Ok(Measured::one(ratio, 0))
}
