//! What a row says about a coming spike.

use super::{WarningSettings, WarningWeights};
use crate::record::EventKind;

/// The features' names in the order of [`Signal::features`].
pub const FEATURES: [&str; WarningWeights::COUNT - 1] = [
    "urgency",
    "reach",
    "clean",
    "coherent",
    "energy",
    "build_up",
    "loss_rise",
    "batch",
    "planned",
];

/// What one row says about a coming spike.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The row's step.
    pub step: usize,
    /// Whether a spike was under way; nothing is warned of then.
    pub in_spike: bool,
    /// Probability of a spike that starts within the warning's horizon, by the early model.
    pub early: f64,
    /// Of one within the imminent horizon, by the imminent model.
    pub imminent: f64,
    /// What they were computed from, in the order of [`FEATURES`], each within fixed bounds:
    /// -ln(1 + n), n the steps until the oscillation is visible; the logarithm of the growth by then,
    /// if n is within the horizon, else 0; coherent times build-up; coherent: the logarithm of the
    /// measured growth or of that by the edge ratio, the lesser, less so the more the measured one
    /// scatters, if n is within the horizon, else 0; a tenth of the logarithm of the oscillation's
    /// share of the loss; build-up: a tenth of that logarithm's rise above its least value in the
    /// latest rows; the loss's rise over its baseline; batch sharpness over what it settles at, beyond 1
    /// (0 where there is none, -1 where it cannot be compared); planned: the logarithm by which the schedule raises the learning rate by
    /// then, if n is within the horizon, else 0.
    pub features: [f64; FEATURES.len()],
    /// Steps until the oscillation is visible, if it gets there.
    pub in_steps: Option<usize>,
    /// The edge ratio.
    pub edge_ratio: f64,
    /// Its slope, per step.
    pub slope: f64,
    /// Factor by which |c| grows in a step at this edge ratio.
    pub growth: f64,
    /// The factor as measured over the latest rows.
    pub measured_growth: Option<f64>,
    /// c^2/(2 lambda_1) over the loss.
    pub energy_share: f64,
    /// |c| over the norm of the gradient.
    pub gradient_alignment: f64,
    /// Batch sharpness (its ratio of means) over what it settles at: over the edge of small batches where it
    /// is below that, over the edge of large ones where it is beyond that, else 1.
    pub batch_ratio: Option<f64>,
}

impl Signal {
    /// By how much, in log-odds, the probability of the early or of the imminent model exceeds the one
    /// from which on it warns, whichever is more: there is a warning from 0 on.
    pub fn score(&self, settings: &WarningSettings) -> f64 {
        let (early, imminent) = self.excesses(settings);
        early.max(imminent)
    }

    fn excesses(&self, settings: &WarningSettings) -> (f64, f64) {
        let log_odds = |p: f64| (p / (1.0 - p)).ln().clamp(-700.0, 700.0);
        (
            log_odds(self.early) - log_odds(settings.early_probability),
            log_odds(self.imminent) - log_odds(settings.imminent_probability),
        )
    }

    /// The event that warns.
    pub fn event(&self, settings: &WarningSettings) -> EventKind {
        let (early, imminent) = self.excesses(settings);
        let (probability, horizon) = match imminent > early {
            true => (self.imminent, settings.imminent_horizon),
            false => (self.early, settings.warning_horizon),
        };
        EventKind::SpikeWarning {
            probability,
            horizon,
            imminent: imminent > early,
            in_steps: self.in_steps,
            edge_ratio: self.edge_ratio,
            slope: self.slope,
            growth: self.growth,
            measured_growth: self.measured_growth,
            energy_share: self.energy_share,
            gradient_alignment: self.gradient_alignment,
            batch_ratio: self.batch_ratio,
        }
    }
}
