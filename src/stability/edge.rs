//! Events read off the rows of a run, in order.

use crate::record::{Event, EventKind, StepRow};

/// Training counts as being at the edge from this edge ratio on: there the sharpness swings about
/// the threshold, now below and now above it.
pub const AT_EDGE: f64 = 0.95;

/// Whether training with this edge ratio is at the edge of stability, or beyond it.
pub fn at_edge(edge_ratio: f64) -> bool {
    edge_ratio >= AT_EDGE
}

/// Watches the rows of one run and names what happens in them.
#[derive(Debug, Clone)]
pub struct EventDetector {
    tolerance: f64,
    at_edge: bool,
    unconverged: bool,
}

impl EventDetector {
    /// A detector for a run whose eigenvalues were asked to meet `tolerance`.
    pub fn new(tolerance: f64) -> Self {
        Self { tolerance, at_edge: false, unconverged: false }
    }

    /// The events of the next row; `stop_reason` is the eigensolver's, for a row with curvature.
    /// Of consecutive rows that did not converge, the first makes an event.
    pub fn observe(&mut self, row: &StepRow, stop_reason: Option<&str>) -> Vec<Event> {
        let mut events = Vec::new();
        let mut push = |kind| {
            events.push(Event { step: row.step, kind });
        };
        if let (false, Some(sharpness), Some(threshold), Some(edge_ratio)) =
            (self.at_edge, row.operator_sharpness(), row.threshold, row.edge_ratio)
            && edge_ratio >= 1.0
        {
            self.at_edge = true;
            push(EventKind::EdgeEntered { sharpness, threshold, edge_ratio });
        }
        if let (Some(converged), Some(residual)) = (row.converged, row.residual) {
            if !converged && !self.unconverged {
                push(EventKind::CurvatureUnconverged {
                    residual,
                    tolerance: self.tolerance,
                    reason: stop_reason.unwrap_or_default().to_string(),
                });
            }
            self.unconverged = !converged;
        }
        events
    }
}
