//! What a row says about a coming spike.

use super::{FEATURES, WarningSettings};
use crate::record::EventKind;

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
    /// What they were computed from, in the order of [`FEATURES`]: see [`super::WarningWeights`].
    pub features: [f64; FEATURES.len()],
    /// Steps until the oscillation is visible, if it gets there.
    pub in_steps: Option<usize>,
    /// The largest loss of the coming horizon that the mechanism predicts, where it does.
    pub predicted: Option<PredictedLoss>,
    /// The largest multiple of the learning rates to come at which nine scenarios in ten stay below a spike; where a
    /// warning is due or the learning rate has been lowered, else `None`.
    pub bearable: Option<f64>,
    /// The edge ratio, where there is a threshold.
    pub edge_ratio: Option<f64>,
    /// Its slope, per step.
    pub slope: Option<f64>,
    /// Factor by which |c| grows in a step at this edge ratio.
    pub growth: Option<f64>,
    /// The factor as measured over the latest rows.
    pub measured_growth: Option<f64>,
    /// c^2/(2 lambda_1) over the loss.
    pub energy_share: Option<f64>,
    /// |c| over the norm of the gradient.
    pub gradient_alignment: Option<f64>,
    /// Batch sharpness (its ratio of means) over what it settles at: over the edge of small batches where it
    /// is below that, over the edge of large ones where it is beyond that, else 1.
    pub batch_ratio: Option<f64>,
}

/// A loss with an interval: that which half of the runs that warnings were tuned on stayed below where the mechanism
/// predicted as much, one in ten, and nine in ten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictedLoss {
    /// Half of them stayed below.
    pub loss: f64,
    /// One in ten did.
    pub least: f64,
    /// Nine in ten did.
    pub most: f64,
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
            predicted_loss: self.predicted.map(|predicted| predicted.loss),
            predicted_least: self.predicted.map(|predicted| predicted.least),
            predicted_most: self.predicted.map(|predicted| predicted.most),
            bearable: self.bearable,
        }
    }
}
