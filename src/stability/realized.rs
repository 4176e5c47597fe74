//! The realized edge: whether updates raise the loss that they descend, as far as the local quadratic tells.

use super::edge::EdgeSettings;
use super::{Context, Detector};
use crate::record::{EventKind, StepRow};

/// Says when the realized ratio reaches 1, and when it has been clearly below for some measurements, by the
/// constants of the edge. Rows whose update ascends have no ratio and say nothing.
#[derive(Debug, Clone)]
pub(super) struct RealizedEdge {
    settings: EdgeSettings,
    entered: Option<usize>,
    below: usize,
}

impl RealizedEdge {
    pub fn new(settings: &EdgeSettings) -> Self {
        Self { settings: settings.clone(), entered: None, below: 0 }
    }
}

impl Detector for RealizedEdge {
    fn observe(&mut self, row: &StepRow, _: &Context) -> Vec<EventKind> {
        let Some(realized_ratio) = row.realized_ratio.filter(|ratio| ratio.is_finite()) else {
            return Vec::new();
        };
        let edge_ratio = row.edge_ratio.filter(|ratio| ratio.is_finite());
        let Some(entered) = self.entered else {
            if realized_ratio < self.settings.edge_enter {
                return Vec::new();
            }
            (self.entered, self.below) = (Some(row.step), 0);
            return vec![EventKind::RealizedEdgeEntered { realized_ratio, edge_ratio }];
        };
        self.below = if realized_ratio < self.settings.edge_leave { self.below + 1 } else { 0 };
        if self.below < self.settings.edge_hold {
            return Vec::new();
        }
        (self.entered, self.below) = (None, 0);
        vec![EventKind::RealizedEdgeLeft { realized_ratio, edge_ratio, entered }]
    }
}
