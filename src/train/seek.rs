//! Learning rates that are found from curvature.

use std::sync::Arc;

use crate::record::StepRow;

/// How the rate of each update is found, where no schedule says it.
#[derive(Debug, Clone, PartialEq)]
pub enum Seek {
    /// So that the row's edge ratio would be this target: the rate of the step before, times the target over
    /// that step's edge ratio. Where the threshold goes as one over the rate that is exact but for what the
    /// sharpness does in a step. The first update after the warm-up, where nothing is measured before it, has the
    /// schedule's rate.
    Edge(f64),
    /// Curvature dynamics aware tuning (Roulet et al. 2024): eta = sigma max(-g'u, 0)/|u'Hu| for the update u at
    /// rate 1 and the samples of the step, with sigma twice this target, so that 1 is their "on edge". Of the update
    /// the realized ratio eta u'Hu/(-2 g'u) is the target then. Without their moving averages.
    Cdat(f64),
    /// The rates of these steps, as they were.
    Recorded(Arc<[f64]>),
}

/// The rate at most doubles from a step to the next.
const MOST_GROWTH: f64 = 2.0;

/// The rate that brings the edge ratio of that row to `target`; its own where that says nothing.
pub(super) fn toward(row: &StepRow, target: f64) -> f64 {
    match row.edge_ratio {
        Some(ratio) if ratio.is_finite() => {
            let factor = target / ratio;
            let factor = if factor > 0.0 { factor.min(MOST_GROWTH) } else { MOST_GROWTH };
            row.lr * factor
        }
        _ => row.lr,
    }
}

/// The rate at which an update is at `target`, from a trial at rate `lr`: `descent` is -g's of its update s, and
/// `curvature` s'Hs.
pub(super) fn tuned(lr: f64, target: f64, descent: f64, curvature: f64) -> f64 {
    if descent <= 0.0 {
        return 0.0;
    }
    let factor = 2.0 * target * descent / curvature.abs();
    if factor.is_finite() { lr * factor.min(1.0 / f64::EPSILON) } else { lr }
}
