//! Numbers that are not to be trusted, seen from the rows alone.

use serde::{Deserialize, Serialize};

use super::checks::{at_least, positive, share};
use super::{Context, Detector};
use crate::error::Result;
use crate::record::{EventKind, PrecisionReason, StepRow};

/// Which numbers are not to be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrecisionSettings {
    /// Unit roundoff of the parameters: 2^-24 in single precision, 2^-53 in double.
    pub resolution: f64,
    /// Rows in a row with an update below it that make one suspicious.
    pub resolution_rows: usize,
    /// A residual that does not converge within this multiple of the resolution is at its floor.
    pub residual_floor: f64,
    /// A sharpness below this share of both neighbours, which agree to half as much, is suspicious.
    pub disagreement: f64,
}

impl Default for PrecisionSettings {
    fn default() -> Self {
        Self {
            resolution: 2f64.powi(-24),
            resolution_rows: 3,
            residual_floor: 30.0,
            disagreement: 0.8,
        }
    }
}

impl PrecisionSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        positive("resolution", self.resolution)?;
        at_least("resolution_rows", self.resolution_rows, 1)?;
        positive("residual_floor", self.residual_floor)?;
        share("disagreement", self.disagreement)
    }
}

/// Says where eigenvalues have not converged and where rounding or the eigensolver may be to blame.
/// Of consecutive suspicious rows, the first makes an event.
#[derive(Debug, Clone)]
pub(super) struct Suspicions {
    settings: PrecisionSettings,
    tolerance: f64,
    unconverged: bool,
    at_floor: bool,
    tiny_updates: usize,
    /// The two latest sharpnesses, the older first.
    before: [Option<f64>; 2],
}

impl Suspicions {
    /// Of a run whose eigenvalues were asked to meet `tolerance`.
    pub fn new(settings: &PrecisionSettings, tolerance: f64) -> Self {
        Self {
            settings: settings.clone(),
            tolerance,
            unconverged: false,
            at_floor: false,
            tiny_updates: 0,
            before: [None; 2],
        }
    }

    /// Eigenvalues that have not converged, and whether rounding may be why.
    fn residual(&mut self, row: &StepRow) -> Vec<EventKind> {
        let mut events = Vec::new();
        let (Some(converged), Some(residual)) = (row.converged, row.residual) else {
            return events;
        };
        let tolerance = self.tolerance;
        if !converged && !self.unconverged {
            events.push(EventKind::CurvatureUnconverged { residual, tolerance });
        }
        self.unconverged = !converged;
        let bound = self.settings.residual_floor * self.settings.resolution;
        let at_floor = !converged && residual <= bound;
        if at_floor && !self.at_floor {
            let reason = PrecisionReason::ResidualFloor;
            events.push(EventKind::PrecisionSuspect { reason, value: residual, bound });
        }
        self.at_floor = at_floor;
        events
    }

    /// Updates that change next to no parameter, though there is a gradient to follow.
    fn update(&mut self, row: &StepRow) -> Option<EventKind> {
        let (value, bound) = (row.relative_update?, self.settings.resolution);
        let moves = row.grad_norm.is_none_or(|length| length > 0.0) && row.lr > 0.0;
        self.tiny_updates = if moves && value < bound { self.tiny_updates + 1 } else { 0 };
        let reason = PrecisionReason::UpdateBelowResolution;
        (self.tiny_updates == self.settings.resolution_rows)
            .then_some(EventKind::PrecisionSuspect { reason, value, bound })
    }

    /// A measurement that both neighbours contradict.
    fn neighbours(&mut self, row: &StepRow, calm: bool) -> Option<EventKind> {
        let sharpness = row.sharpness?;
        let usable = calm && row.converged == Some(true) && sharpness > 0.0;
        if !usable {
            self.before = [None; 2];
            return None;
        }
        let [older, middle] = self.before;
        self.before = [middle, Some(sharpness)];
        let (older, middle) = (older?, middle?);
        let (low, high) = (older.min(sharpness), older.max(sharpness));
        let (value, bound) = (middle / low, self.settings.disagreement);
        // The neighbours' own difference, were it as large, would make the middle one no outlier.
        let agree = low / high > (1.0 + bound) / 2.0;
        let reason = PrecisionReason::MeasurementsDisagree;
        (agree && value < bound).then_some(EventKind::PrecisionSuspect { reason, value, bound })
    }
}

impl Detector for Suspicions {
    fn observe(&mut self, row: &StepRow, context: &Context) -> Vec<EventKind> {
        let mut events = self.residual(row);
        events.extend(self.update(row));
        events.extend(self.neighbours(row, context.calm));
        events
    }
}
