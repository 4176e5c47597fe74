//! The phase of training at each row.

use serde::{Deserialize, Serialize};

use super::checks::{ordered, positive};
use super::edge::edge_of;
use super::trend::{Hysteresis, Trend};
use super::{Context, EdgeSettings, TrendSettings};
use crate::error::Result;
use crate::record::{Phase, StepRow};

/// Which phase a row is in. Where the edge begins is in [`EdgeSettings`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhaseSettings {
    /// Training counts as unstable from this edge ratio on, loss spike or not: gradient descent's
    /// oscillation doubles at each step there (growth 2r - 1).
    pub unstable_enter: f64,
    /// It does not any more below this one.
    pub unstable_leave: f64,
    /// Sharpness rises if its trend adds this share of itself over the trend's rows ...
    pub sharpening_enter: f64,
    /// ... and does not any more below this share.
    pub sharpening_leave: f64,
}

impl Default for PhaseSettings {
    fn default() -> Self {
        Self {
            unstable_enter: 1.5,
            unstable_leave: 1.2,
            sharpening_enter: 0.01,
            sharpening_leave: 0.0025,
        }
    }
}

impl PhaseSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        let pairs = [
            ("unstable_leave", self.unstable_leave, "unstable_enter", self.unstable_enter),
            ("sharpening_leave", self.sharpening_leave, "sharpening_enter", self.sharpening_enter),
        ];
        for (leave, low, enter, high) in pairs {
            positive(enter, high)?;
            positive(leave, low)?;
            ordered((leave, low), (enter, high))?;
        }
        Ok(())
    }
}

/// Names phases. What is entered at one value is left at another, so that noise does not toggle it.
#[derive(Debug, Clone)]
pub(super) struct PhaseTracker {
    settings: PhaseSettings,
    trend_errors: f64,
    /// Logarithms.
    sharpness: Trend,
    known: bool,
    beyond: Hysteresis,
    edge: Hysteresis,
    rising: bool,
}

impl PhaseTracker {
    pub fn new(settings: &PhaseSettings, edge: &EdgeSettings, trend: &TrendSettings) -> Self {
        Self {
            settings: settings.clone(),
            trend_errors: trend.trend_errors,
            sharpness: Trend::new(trend.trend_rows),
            known: false,
            beyond: Hysteresis::new(settings.unstable_enter, settings.unstable_leave),
            edge: Hysteresis::new(edge.edge_enter, edge.edge_leave),
            rising: false,
        }
    }

    /// The phase at `row`; `None` before anything is known. At rows without curvature the latest
    /// measurement holds.
    pub fn observe(&mut self, row: &StepRow, context: &Context) -> Option<Phase> {
        if let Some((_, _, ratio)) = edge_of(row) {
            self.beyond.observe(ratio);
            self.edge.observe(ratio);
            self.known = true;
        }
        if let Some(sharpness) = row.operator_sharpness().filter(|s| s.is_finite()) {
            self.follow(row.step, sharpness);
            self.known = true;
        }
        if context.in_spike || self.beyond.is_inside() {
            Some(Phase::Unstable)
        } else if self.edge.is_inside() {
            Some(Phase::Edge)
        } else if context.plateau.is_some() {
            Some(Phase::Flat)
        } else if self.rising {
            Some(Phase::Sharpening)
        } else {
            self.known.then_some(Phase::Stable)
        }
    }

    /// Takes a measurement in: whether the sharpness rises.
    fn follow(&mut self, step: usize, sharpness: f64) {
        // Of a sharpness that is not positive there is no relative rise.
        match sharpness > 0.0 {
            true => self.sharpness.push(step, sharpness.ln()),
            false => self.sharpness.clear(),
        }
        let line = self.sharpness.line();
        let rise = line.map_or(0.0, |line| line.slope * line.span);
        let clear = line.is_some_and(|line| line.slope > self.trend_errors * line.slope_error);
        self.rising = match self.rising {
            true => rise >= self.settings.sharpening_leave,
            false => rise >= self.settings.sharpening_enter && clear,
        };
    }
}
