//! Whether the modes that are followed are those that training moves along.

use serde::{Deserialize, Serialize};

use super::checks::{at_least, ordered, share};
use super::{Context, Detector};
use crate::error::Result;
use crate::record::{EventKind, StepRow};

/// When it is said that too few eigenvalues are followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnfollowedSettings {
    /// Too few are followed where the modes hold less than this share of the curvature along the step, while the
    /// realized ratio is 1 or more, ...
    pub followed_share: f64,
    /// ... and enough again from this share on, ...
    pub followed_again: f64,
    /// ... for so many rows in a row.
    pub followed_rows: usize,
}

impl Default for UnfollowedSettings {
    fn default() -> Self {
        Self { followed_share: 0.5, followed_again: 0.7, followed_rows: 4 }
    }
}

impl UnfollowedSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        share("followed_share", self.followed_share)?;
        share("followed_again", self.followed_again)?;
        ordered(("followed_share", self.followed_share), ("followed_again", self.followed_again))?;
        at_least("followed_rows", self.followed_rows, 1)
    }
}

/// Tells where updates raise the loss along directions that are not followed.
#[derive(Debug, Clone)]
pub(super) struct Unfollowed {
    settings: UnfollowedSettings,
    told: bool,
    /// Rows in a row that speak for a change.
    rows: usize,
}

impl Unfollowed {
    pub fn new(settings: &UnfollowedSettings) -> Self {
        Self { settings: settings.clone(), told: false, rows: 0 }
    }
}

/// The share of s'Hs that the followed modes hold: the sum of lambda_i (v_i's)^2, over it. `None` with minibatches, whose
/// H is another, and where it is not known or not above 0.
pub(super) fn followed_share(row: &StepRow) -> Option<f64> {
    let curvature = row.step_curvature.filter(|curvature| *curvature > 0.0)?;
    if row.batch_grad_norm.is_some() || row.step_component.is_empty() {
        return None;
    }
    let along = |i: usize| match (i, row.preconditioned_sharpness) {
        (0, Some(lambda)) => Some(lambda),
        _ => row.lambda.get(i).copied(),
    };
    let modes = row.step_component.iter().enumerate();
    let held: f64 = modes.filter_map(|(i, step)| Some(along(i)? * step * step)).sum();
    let share = held / curvature;
    share.is_finite().then_some(share)
}

impl Detector for Unfollowed {
    fn observe(&mut self, row: &StepRow, _: &Context) -> Vec<EventKind> {
        let (Some(followed_share), Some(realized_ratio)) =
            (followed_share(row), row.realized_ratio)
        else {
            return Vec::new();
        };
        let s = &self.settings;
        let speaks = match self.told {
            false => realized_ratio >= 1.0 && followed_share < s.followed_share,
            true => followed_share >= s.followed_again,
        };
        self.rows = if speaks { self.rows + 1 } else { 0 };
        if self.rows < s.followed_rows {
            return Vec::new();
        }
        self.rows = 0;
        self.told = !self.told;
        let followed = row.step_component.len();
        match self.told {
            true => vec![EventKind::TooFewFollowed { followed, followed_share, realized_ratio }],
            false => Vec::new(),
        }
    }
}
