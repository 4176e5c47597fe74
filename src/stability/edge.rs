//! The edge of stability: being there, coming there, leaving it.

use serde::{Deserialize, Serialize};

use super::checks::{at_least, ordered, positive};
use super::forecast::{Forecast, ForecastSettings};
use super::trend::TrendSettings;
use super::{Context, Detector};
use crate::error::Result;
use crate::record::{EventKind, StepRow};

/// Default of [`EdgeSettings::at_edge`].
pub const AT_EDGE: f64 = 0.95;

/// Where the edge of stability begins.
///
/// There the sharpness swings about the threshold, now below and now above it. So there are two
/// questions, with a bound each. *Is this row at the edge?* is asked of a row alone, to count the rows
/// of a run (`at_edge`; the summary's `share_at_edge`); its bound is a little below 1, for the swings.
/// *When did training come to the edge?* is asked of a series, once for each arrival (`edge_enter`;
/// events and phases): the ratio has to reach 1, and what has been entered is left below all of the
/// swings, at `edge_leave`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EdgeSettings {
    /// A row counts as one at the edge from this edge ratio on ([`AT_EDGE`]), in the share of the rows
    /// that are; no event and no phase depends on it.
    pub at_edge: f64,
    /// The edge is entered at this edge ratio.
    pub edge_enter: f64,
    /// It is left below this one: at the edge the ratio swings by some percent about 1.
    pub edge_leave: f64,
    /// Measurements in a row below `edge_leave` after which it is left.
    pub edge_hold: usize,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        Self { at_edge: AT_EDGE, edge_enter: 1.0, edge_leave: 0.9, edge_hold: 3 }
    }
}

impl EdgeSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        positive("at_edge", self.at_edge)?;
        positive("edge_enter", self.edge_enter)?;
        positive("edge_leave", self.edge_leave)?;
        ordered(("edge_leave", self.edge_leave), ("edge_enter", self.edge_enter))?;
        at_least("edge_hold", self.edge_hold, 1)
    }

    /// Whether a row with this edge ratio is at the edge of stability, or beyond it.
    pub fn is_at_edge(&self, edge_ratio: f64) -> bool {
        edge_ratio >= self.at_edge
    }
}

/// Whether a row with this edge ratio is at the edge of stability, or beyond it, by the default
/// settings: see [`EdgeSettings::is_at_edge`].
pub fn at_edge(edge_ratio: f64) -> bool {
    EdgeSettings::default().is_at_edge(edge_ratio)
}

/// A row's finite sharpness, threshold and edge ratio, the ratio of the two.
pub(super) fn edge_of(row: &StepRow) -> Option<(f64, f64, f64)> {
    let (sharpness, threshold) = (row.operator_sharpness()?, row.threshold?);
    let edge_ratio = row.edge_ratio?;
    let finite = [sharpness, threshold, edge_ratio].into_iter().all(f64::is_finite);
    finite.then_some((sharpness, threshold, edge_ratio))
}

/// Says when the edge is entered and left, and, while training is below it, when it will be reached.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    settings: EdgeSettings,
    trend: TrendSettings,
    forecast: Forecast,
    threshold: Option<f64>,
    entered: Option<usize>,
    below: usize,
}

impl Edge {
    pub fn new(
        settings: &EdgeSettings,
        forecast: &ForecastSettings,
        trend: &TrendSettings,
    ) -> Self {
        Self {
            settings: settings.clone(),
            trend: trend.clone(),
            forecast: Forecast::new(forecast),
            threshold: None,
            entered: None,
            below: 0,
        }
    }

    fn seen(&mut self, row: &StepRow) -> Option<EventKind> {
        let (sharpness, threshold, edge_ratio) = edge_of(row)?;
        let s = &self.settings;
        if self.threshold.replace(threshold).is_some_and(|t| self.trend.jumped(t, threshold)) {
            self.forecast.clear();
        }
        self.forecast.push(row.step, edge_ratio);
        match self.entered {
            None if edge_ratio >= s.edge_enter => {
                (self.entered, self.below) = (Some(row.step), 0);
                self.forecast.fulfil();
                Some(EventKind::EdgeEntered { sharpness, threshold, edge_ratio })
            }
            None => self.forecast.draw(row.step, edge_ratio, s.edge_enter),
            Some(entered) => {
                self.below = if edge_ratio < s.edge_leave { self.below + 1 } else { 0 };
                if self.below < s.edge_hold {
                    return None;
                }
                (self.entered, self.below) = (None, 0);
                Some(EventKind::EdgeLeft { sharpness, threshold, edge_ratio, entered })
            }
        }
    }
}

impl Detector for Edge {
    fn observe(&mut self, row: &StepRow, _: &Context) -> Vec<EventKind> {
        self.seen(row).into_iter().collect()
    }
}
