//! A loss that stands still, and where: at a saddle, at a minimum, or one cannot say.

use super::StabilitySettings;
use super::trend::{Trend, median};
use crate::record::{EventKind, StepRow};

/// Says when the loss comes to a standstill.
#[derive(Debug, Clone)]
pub(super) struct Standstill {
    settings: StabilitySettings,
    losses: Trend,
    flat: bool,
    /// Whether a saddle and a minimum have been named on this plateau.
    saddle: bool,
    minimum: bool,
}

impl Standstill {
    pub fn new(settings: &StabilitySettings) -> Self {
        Self {
            settings: settings.clone(),
            losses: Trend::new(settings.plateau_rows),
            flat: false,
            saddle: false,
            minimum: false,
        }
    }

    pub fn is_flat(&self) -> bool {
        self.flat
    }

    pub fn observe(&mut self, row: &StepRow) -> Vec<EventKind> {
        let mut events = Vec::new();
        let s = &self.settings;
        if let Some(loss) = row.train_loss {
            if !loss.is_finite() {
                self.losses.clear();
            }
            self.losses.push(row.step, loss);
            let rows = self.losses.values().count();
            let change = (rows == s.plateau_rows).then(|| relative_change(&self.losses)).flatten();
            let was = self.flat;
            let bound = if was { 2.0 * s.plateau_change } else { s.plateau_change };
            self.flat = change.is_some_and(|change| change <= bound);
            if let (false, true, Some(relative_change)) = (was, self.flat, change) {
                events.push(EventKind::Plateau { train_loss: loss, relative_change, rows });
            }
            if !self.flat {
                (self.saddle, self.minimum) = (false, false);
            }
        }
        events.extend(self.stationary(row));
        events
    }

    /// What kind of point it is, where the row has what tells it.
    fn stationary(&mut self, row: &StepRow) -> Option<EventKind> {
        let s = &self.settings;
        if !self.flat || row.converged != Some(true) {
            return None;
        }
        let (lambda_min, lambda_max) = (row.lambda_min?, row.sharpness?);
        let gradient_share = gradient_share(row.grad_norm?, lambda_max, row.train_loss?)?;
        if gradient_share > s.small_gradient {
            return None;
        }
        let downwards = -lambda_min / lambda_max;
        if downwards >= s.saddle_curvature && !self.saddle {
            self.saddle = true;
            return Some(EventKind::Saddle { lambda_min, lambda_max, gradient_share });
        }
        if downwards <= s.minimum_curvature && !self.minimum {
            self.minimum = true;
            return Some(EventKind::MinimumSuspected { lambda_min, lambda_max, gradient_share });
        }
        None
    }
}

/// ||g||^2/(2 lambda_1) over the loss, where that is a number.
pub(super) fn gradient_share(length: f64, lambda_max: f64, loss: f64) -> Option<f64> {
    let gain = length * length / (2.0 * lambda_max);
    let share = if gain == 0.0 { 0.0 } else { gain / loss };
    (lambda_max > 0.0 && loss >= 0.0 && share.is_finite()).then_some(share)
}

/// Largest minus smallest over the median's magnitude.
fn relative_change(losses: &Trend) -> Option<f64> {
    let range = losses.values().fold(f64::NEG_INFINITY, f64::max)
        - losses.values().fold(f64::INFINITY, f64::min);
    let centre = median(losses.values())?.abs();
    Some(if range == 0.0 { 0.0 } else { range / centre })
}
