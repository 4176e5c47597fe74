//! Where the loss stands still: at a saddle, at a minimum, or one cannot say.

use serde::{Deserialize, Serialize};

use super::checks::{ordered, positive};
use super::{Context, Detector};
use crate::error::Result;
use crate::record::{EventKind, StepRow};

/// What kind of point the loss stands still at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StationarySettings {
    /// A gradient is small if ||g||^2/(2 lambda_1), what a step down the steepest curve could gain,
    /// is at most this share of the loss.
    pub small_gradient: f64,
    /// A direction curves clearly downwards if -lambda_min is at least this share of lambda_1.
    pub saddle_curvature: f64,
    /// None does if -lambda_min is at most this share of lambda_1.
    pub minimum_curvature: f64,
}

impl Default for StationarySettings {
    fn default() -> Self {
        Self { small_gradient: 1e-3, saddle_curvature: 0.02, minimum_curvature: 0.005 }
    }
}

impl StationarySettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        let minimum = ("minimum_curvature", self.minimum_curvature);
        let saddle = ("saddle_curvature", self.saddle_curvature);
        positive("small_gradient", self.small_gradient)?;
        positive(saddle.0, saddle.1)?;
        positive(minimum.0, minimum.1)?;
        ordered(minimum, saddle)
    }
}

/// Says what kind of point a plateau is at, once each.
#[derive(Debug, Clone)]
pub(super) struct StationaryPoints {
    settings: StationarySettings,
    /// Whether a saddle and a minimum have been named on this plateau.
    saddle: bool,
    minimum: bool,
}

impl StationaryPoints {
    pub fn new(settings: &StationarySettings) -> Self {
        Self { settings: settings.clone(), saddle: false, minimum: false }
    }

    /// What kind of point it is, where the row has what tells it.
    fn seen(&mut self, row: &StepRow, context: &Context) -> Option<EventKind> {
        if context.plateau.is_none() {
            (self.saddle, self.minimum) = (false, false);
            return None;
        }
        if row.converged != Some(true) {
            return None;
        }
        let s = &self.settings;
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

impl Detector for StationaryPoints {
    fn observe(&mut self, row: &StepRow, context: &Context) -> Vec<EventKind> {
        self.seen(row, context).into_iter().collect()
    }
}

/// ||g||^2/(2 lambda_1) over the loss, where that is a number.
fn gradient_share(length: f64, lambda_max: f64, loss: f64) -> Option<f64> {
    let gain = length * length / (2.0 * lambda_max);
    let share = if gain == 0.0 { 0.0 } else { gain / loss };
    (lambda_max > 0.0 && loss >= 0.0 && share.is_finite()).then_some(share)
}
