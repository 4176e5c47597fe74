//! Warnings before the loss spikes.
//!
//! On a local quadratic the gradient's component c along the top eigenvector is multiplied at each
//! step by a root of the update's characteristic polynomial. At the edge ratio r = 1 the root leaves
//! the unit circle through -1, and beyond it |c| grows by a factor that r alone decides ([`growth()`]),
//! while the loss still looks smooth: the oscillation's energy c^2/(2 lambda_1) starts at rounding
//! and is seen only when it is a share of the loss. So the steps until then can be counted before
//! anything is to be seen. With the modes' energies as they are, their ratios, the trend of these and the
//! schedule, the loss of the coming steps is predicted, with an interval (`prediction`). Whether the oscillation
//! becomes a spike or is caught by a falling
//! sharpness (Damian et al. 2023: the peak grows with how far r is beyond 1 by then) is more than that knows: where
//! several modes interact, what tells most is what the last updates did (the realized ratio, which counts all
//! directions, and the rise of the loss that the quadratic along the step predicts). So
//! logistic models of these numbers ([`WarningWeights`] lists them) give the probability.
//!
//! There are two. Where one mode grows, a spike is foreseen from afar (the *early* model); where
//! several are beyond the edge and compete, as late in training with cross-entropy, only the last
//! steps before a spike tell anything (the *imminent* model). One set of weights does either well and
//! not both. Either warns, the early model from a probability of a spike within the coming twenty
//! steps on, the imminent one from a probability of a spike within the next three on.

mod alarm;
mod growth;
mod model;
mod modes;
mod prediction;
mod settings;
mod signal;
mod weights;

pub use alarm::Alarm;
pub(super) use growth::Growth;
pub use growth::growth;
pub(super) use model::WarningModel;
pub use prediction::PredictionSettings;
pub use settings::WarningSettings;
pub use signal::{PredictedLoss, Signal};
pub use weights::{FEATURES, WarningWeights};

use super::{Context, Detector};
use crate::record::{EventKind, StepRow};

/// Warns where the models' score reaches its bar, and not again while that warning stands; and says where a
/// learning rate that was lowered can be given back.
#[derive(Debug, Clone)]
pub(super) struct SpikeWarnings {
    settings: WarningSettings,
    alarm: Alarm,
    /// The step at which the rate was changed last, or at which it was said that it can be.
    changed: usize,
    /// The rate over the schedule's at the row before.
    rate_factor: f64,
}

/// A rate is not given back for less.
const LEAST_GIVEN_BACK: f64 = 1.1;

impl SpikeWarnings {
    pub fn new(settings: &WarningSettings) -> Self {
        let alarm = Alarm::new(0.0, settings.warning_horizon);
        Self { settings: settings.clone(), alarm, changed: 0, rate_factor: 1.0 }
    }

    /// What is told where the rate was lowered, the horizon of that has passed and the coming steps bear more.
    fn lifted(&mut self, row: &StepRow, context: &Context) -> Option<EventKind> {
        let bearable = context.signal.as_ref()?.bearable?;
        let waited = row.step >= self.changed.saturating_add(self.settings.warning_horizon);
        let calm = !context.in_spike && context.rate_factor < 1.0;
        (calm && waited && bearable >= LEAST_GIVEN_BACK).then(|| {
            self.changed = row.step;
            EventKind::WarningLifted { bearable, rate_factor: context.rate_factor }
        })
    }
}

impl Detector for SpikeWarnings {
    fn observe(&mut self, row: &StepRow, context: &Context) -> Vec<EventKind> {
        // Somebody has acted on an earlier warning: it is done with.
        let before = std::mem::replace(&mut self.rate_factor, context.rate_factor);
        let changed = (context.rate_factor / before - 1.0).abs() > 1e-9;
        if context.rate_departed || changed {
            self.alarm.lower();
            self.changed = row.step;
        }
        let signal = context.signal.as_ref();
        let score = signal.map_or(f64::NEG_INFINITY, |signal| signal.score(&self.settings));
        if self.alarm.observe(row.step, score, context.in_spike) {
            return signal.map(|signal| signal.event(&self.settings)).into_iter().collect();
        }
        if score >= 0.0 {
            return Vec::new();
        }
        self.lifted(row, context).into_iter().collect()
    }
}
