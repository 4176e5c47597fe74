//! Events in words.

use super::{EventKind, PrecisionReason, WarningAction};

impl EventKind {
    /// What happened, in a sentence without its step; the threshold goes by `threshold_name` ("2/η").
    pub fn sentence(&self, threshold_name: &str) -> String {
        match self {
            EventKind::EdgeEntered { sharpness, threshold, .. } => format!(
                "sharpness {} reached the edge of stability ({} = {})",
                short(*sharpness),
                threshold_name,
                short(*threshold)
            ),
            EventKind::EdgeLeft { edge_ratio, .. } => {
                format!("left the edge of stability: {} of the threshold", short(*edge_ratio))
            }
            EventKind::RealizedEdgeEntered { realized_ratio, .. } => format!(
                "realized edge ratio {}: on a local quadratic this update raises the loss",
                short(*realized_ratio)
            ),
            EventKind::RealizedEdgeLeft { realized_ratio, .. } => format!(
                "updates lower the loss again: realized edge ratio {}",
                short(*realized_ratio)
            ),
            EventKind::EdgeForecast { at_step, earliest, latest, .. } => format!(
                "on its way to the edge of stability, about step {at_step:.0} ({earliest:.0} to {})",
                latest.map_or("never".to_string(), |latest| format!("{latest:.0}"))
            ),
            EventKind::SpikeWarning { probability, horizon, .. } => format!(
                "a loss spike is likely within {horizon} steps ({:.0}%)",
                100.0 * probability
            ),
            EventKind::WarningLifted { bearable, .. } => format!(
                "the oscillation has died away: training bears {} times its learning rate",
                short(*bearable)
            ),
            EventKind::LossSpike { start, peak, height, recovered, .. } => format!(
                "a loss spike began at step {start}: {} at step {peak}{}",
                height.map_or("no finite loss".to_string(), |height| {
                    format!("{} times the loss before", short(height))
                }),
                if *recovered { ", recovered" } else { ", not recovered" }
            ),
            EventKind::Catapult { sharpness_before, sharpness_after, .. } => format!(
                "the spike left the sharpness at {}, down from {}",
                short(*sharpness_after),
                short(*sharpness_before)
            ),
            EventKind::Plateau { .. } => "the loss stands still".to_string(),
            EventKind::Saddle { lambda_min, .. } => {
                format!("near a saddle: the smallest eigenvalue is {}", short(*lambda_min))
            }
            EventKind::MinimumSuspected { .. } => "perhaps at a minimum".to_string(),
            EventKind::PrecisionSuspect { reason, .. } => match reason {
                PrecisionReason::UpdateBelowResolution => {
                    "updates are below what the precision can tell apart; try --precision f64"
                }
                PrecisionReason::MeasurementsDisagree => {
                    "a sharpness far below those before and after it: perhaps the top eigenvalue was \
                     missed"
                }
                PrecisionReason::ResidualFloor => {
                    "a residual is as small as the precision allows; try --precision f64"
                }
            }
            .to_string(),
            EventKind::CurvatureUnconverged { residual, tolerance } => format!(
                "an eigenvalue has not converged: residual {residual:.1e} above {tolerance:.1e}; \
                 raise --max-iterations"
            ),
            EventKind::TooFewFollowed { followed, followed_share, .. } => format!(
                "updates raise the loss, and {:.0}% of the curvature along them is in directions that are \
                 not followed: raise --top (now {followed})",
                100.0 * (1.0 - followed_share)
            ),
            EventKind::CurvatureRepaired { followed, found } => format!(
                "an audit found the largest eigenvalue at {}, which had been followed as {}",
                short(*found),
                short(*followed)
            ),
            EventKind::ActionTaken { action, next_step, lr, factor } => match action {
                WarningAction::Stop => "stopped, as --on-warning says".to_string(),
                WarningAction::HalveLr => {
                    format!("learning rate halved: {} from step {next_step} on", short(*lr))
                }
                WarningAction::LowerLr => {
                    let given_back = factor.is_some_and(|factor| factor > 1.0);
                    let what = if given_back { "given back" } else { "lowered" };
                    format!("learning rate {what}: {} from step {next_step} on", short(*lr))
                }
                WarningAction::Checkpoint => format!("checkpoint of step {next_step} written"),
            },
            EventKind::CurvatureNonFinite { .. } => {
                "curvature is not finite; not measured".to_string()
            }
            EventKind::Divergence { reason, .. } => format!("training diverged: {reason}"),
            // One without a sentence of its own says its name.
            other => other.name().replace('_', " "),
        }
    }
}

/// Four significant digits, in plain or exponent form, whichever is shorter to read.
pub(crate) fn short(x: f64) -> String {
    let magnitude = x.abs();
    if x == 0.0 || (1e-3..1e5).contains(&magnitude) {
        let digits_before = if magnitude >= 1.0 { magnitude.log10() as usize + 1 } else { 1 };
        format!("{x:.*}", 5_usize.saturating_sub(digits_before).max(1))
    } else {
        format!("{x:.3e}")
    }
}
