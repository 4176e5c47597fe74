//! Numbers that are not to be trusted, seen from the rows alone.

use super::StabilitySettings;
use crate::record::{EventKind, PrecisionReason, StepRow};

/// Says where eigenvalues have not converged and where rounding or the eigensolver may be to blame.
/// Of consecutive suspicious rows, the first makes an event.
#[derive(Debug, Clone)]
pub(super) struct PrecisionWatch {
    settings: StabilitySettings,
    tolerance: f64,
    unconverged: bool,
    at_floor: bool,
    tiny_updates: usize,
    /// The two latest sharpnesses, the older first.
    before: [Option<f64>; 2],
}

impl PrecisionWatch {
    pub fn new(settings: &StabilitySettings, tolerance: f64) -> Self {
        Self {
            settings: settings.clone(),
            tolerance,
            unconverged: false,
            at_floor: false,
            tiny_updates: 0,
            before: [None; 2],
        }
    }

    /// `calm`: below the edge and in no spike, where the sharpness moves little from row to row.
    pub fn observe(&mut self, row: &StepRow, calm: bool) -> Vec<EventKind> {
        let mut events = Vec::new();
        self.residual(row, &mut events);
        events.extend(self.update(row));
        events.extend(self.neighbours(row, calm));
        events
    }

    fn residual(&mut self, row: &StepRow, events: &mut Vec<EventKind>) {
        let (Some(converged), Some(residual)) = (row.converged, row.residual) else { return };
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
