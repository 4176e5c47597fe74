//! The edge of stability: being there, coming there, leaving it.

use super::StabilitySettings;
use super::trend::Trend;
use crate::record::{EventKind, StepRow};

/// Training counts as being at the edge from this edge ratio on: there the sharpness swings about
/// the threshold, now below and now above it.
pub const AT_EDGE: f64 = 0.95;

/// Whether training with this edge ratio is at the edge of stability, or beyond it.
pub fn at_edge(edge_ratio: f64) -> bool {
    edge_ratio >= AT_EDGE
}

/// A row's finite edge ratio, with what it is the ratio of.
pub(super) fn edge_of(row: &StepRow) -> Option<(f64, f64, f64)> {
    let (sharpness, threshold) = (row.operator_sharpness()?, row.threshold?);
    let edge_ratio = row.edge_ratio?;
    let finite = [sharpness, threshold, edge_ratio].into_iter().all(f64::is_finite);
    finite.then_some((sharpness, threshold, edge_ratio))
}

/// Whether a threshold has moved by so much that an earlier trend of the edge ratio says nothing.
pub(super) fn jumped(before: f64, now: f64, settings: &StabilitySettings) -> bool {
    !(now / before).ln().abs().le(&settings.threshold_jump)
}

/// Says when the edge is entered and left, and when it will be reached.
#[derive(Debug, Clone)]
pub(super) struct EdgeTracker {
    settings: StabilitySettings,
    trend: Trend,
    threshold: Option<f64>,
    entered: Option<usize>,
    below: usize,
    /// The latest forecast's interval, and when it was made.
    forecast: Option<(f64, Option<f64>, usize)>,
}

impl EdgeTracker {
    pub fn new(settings: &StabilitySettings) -> Self {
        Self {
            settings: settings.clone(),
            trend: Trend::new(settings.forecast_rows),
            threshold: None,
            entered: None,
            below: 0,
            forecast: None,
        }
    }

    pub fn observe(&mut self, row: &StepRow) -> Option<EventKind> {
        let (sharpness, threshold, edge_ratio) = edge_of(row)?;
        let s = &self.settings;
        if self.threshold.replace(threshold).is_some_and(|t| jumped(t, threshold, s)) {
            self.trend.clear();
            self.forecast = None;
        }
        self.trend.push(row.step, edge_ratio);
        match self.entered {
            None if edge_ratio >= s.edge_enter => {
                self.entered = Some(row.step);
                (self.below, self.forecast) = (0, None);
                Some(EventKind::EdgeEntered { sharpness, threshold, edge_ratio })
            }
            None => self.forecast(row.step, edge_ratio),
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

    /// A forecast, where there is none yet or the trend has left the latest one's interval. The
    /// present line is that through the later half of the rows; the interval holds as well where the
    /// whole of them leads, and where their bend does.
    fn forecast(&mut self, step: usize, edge_ratio: f64) -> Option<EventKind> {
        const ERRORS: f64 = 2.0;
        let s = &self.settings;
        if self.trend.values().count() < s.forecast_rows {
            return None;
        }
        let (whole, (line, bend)) = (self.trend.line()?, self.trend.bend()?);
        let missing = (s.edge_enter - line.now).max(0.0);
        let error = ERRORS * line.slope_error;
        let ahead = straight(missing, line.slope)?;
        if line.slope <= error || ahead > s.forecast_spans * whole.span {
            return None;
        }
        // The later half's slope is that at its middle.
        let steeper = line.slope + bend * line.span / 2.0;
        let others = [
            straight(missing, line.slope + error),
            straight(missing, line.slope - error),
            straight(missing, whole.slope),
            bent(missing, steeper, bend),
        ];
        let now = step as f64;
        let at_step = now + ahead;
        let earliest = now + others.iter().flatten().fold(ahead, |least, &n| least.min(n));
        // Absent if one of them never gets there.
        let latest = others
            .into_iter()
            .try_fold(ahead, |most, steps| Some(most.max(steps?)))
            .map(|steps| now + steps);
        if let Some((low, high, made)) = self.forecast {
            let holds = at_step >= low && high.is_none_or(|high| at_step <= high);
            // A trend is known anew only when its rows are new.
            if holds || now < made as f64 + whole.span {
                return None;
            }
        }
        self.forecast = Some((earliest, latest, step));
        Some(EventKind::EdgeForecast { edge_ratio, slope: line.slope, at_step, earliest, latest })
    }
}

/// Steps in which a line of this slope rises by `missing`.
fn straight(missing: f64, slope: f64) -> Option<f64> {
    (slope > 0.0).then(|| missing / slope).filter(|steps| steps.is_finite())
}

/// Steps in which a parabola that starts with this slope and changes it by `bend` a step does.
fn bent(missing: f64, slope: f64, bend: f64) -> Option<f64> {
    if bend == 0.0 {
        return straight(missing, slope);
    }
    let root = (slope * slope + 2.0 * bend * missing).sqrt();
    // The form of the quadratic's root that keeps its digits.
    let steps = 2.0 * missing / (slope + root);
    (steps.is_finite() && steps >= 0.0).then_some(steps)
}
