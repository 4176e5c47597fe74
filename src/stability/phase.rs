//! The phase of training at each row.

use super::StabilitySettings;
use super::edge::edge_of;
use super::trend::Trend;
use crate::record::{Phase, StepRow};

/// Names phases. What is entered at one value is left at another, so that noise does not toggle it.
#[derive(Debug, Clone)]
pub(super) struct PhaseTracker {
    settings: StabilitySettings,
    sharpness: Trend,
    known: bool,
    beyond: bool,
    edge: bool,
    rising: bool,
}

impl PhaseTracker {
    pub fn new(settings: &StabilitySettings) -> Self {
        Self {
            settings: settings.clone(),
            sharpness: Trend::new(settings.trend_rows),
            known: false,
            beyond: false,
            edge: false,
            rising: false,
        }
    }

    /// The phase at `row`; `None` before anything is known. At rows without curvature the latest
    /// measurement holds.
    pub fn observe(&mut self, row: &StepRow, in_spike: bool, flat: bool) -> Option<Phase> {
        let s = &self.settings;
        if let Some((_, _, ratio)) = edge_of(row) {
            let within = |inside: bool, enter: f64, leave: f64| {
                if inside { ratio >= leave } else { ratio >= enter }
            };
            self.beyond = within(self.beyond, s.unstable_enter, s.unstable_leave);
            self.edge = within(self.edge, s.edge_enter, s.edge_leave);
            self.known = true;
        }
        if let Some(sharpness) = row.operator_sharpness().filter(|s| s.is_finite()) {
            self.known = true;
            // Of a sharpness that is not positive there is no relative rise.
            match sharpness > 0.0 {
                true => self.sharpness.push(row.step, sharpness.ln()),
                false => self.sharpness.clear(),
            }
            let line = self.sharpness.line();
            let rise = line.map_or(0.0, |line| line.slope * line.span);
            let clear = line.is_some_and(|line| line.slope > 2.0 * line.slope_error);
            self.rising = match self.rising {
                true => rise >= s.sharpening_leave,
                false => rise >= s.sharpening_enter && clear,
            };
        }
        if in_spike || self.beyond {
            Some(Phase::Unstable)
        } else if self.edge {
            Some(Phase::Edge)
        } else if flat {
            Some(Phase::Flat)
        } else if self.rising {
            Some(Phase::Sharpening)
        } else {
            self.known.then_some(Phase::Stable)
        }
    }
}
