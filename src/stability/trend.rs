//! The line through the latest measurements, and other statistics of a few numbers.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use statrs::statistics::{Data, OrderStatistics};

use super::checks::{at_least, positive};
use crate::error::Result;

/// How a trend is told from scatter, wherever one is looked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrendSettings {
    /// Measurements that a trend of sharpness or edge ratio is fitted to.
    pub trend_rows: usize,
    /// A slope that is not more than so many of its standard errors is explained by scatter.
    pub trend_errors: f64,
    /// A threshold that moves by this factor's logarithm from one measurement to the next has jumped,
    /// and earlier edge ratios say nothing of later ones.
    pub threshold_jump: f64,
}

impl Default for TrendSettings {
    fn default() -> Self {
        Self { trend_rows: 8, trend_errors: 2.0, threshold_jump: 0.3 }
    }
}

impl TrendSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        // Three points make a line with a scatter about it.
        at_least("trend_rows", self.trend_rows, 3)?;
        positive("trend_errors", self.trend_errors)?;
        positive("threshold_jump", self.threshold_jump)
    }

    /// The slope of a line; 0 where its own scatter explains it.
    pub(super) fn clear_slope(&self, line: Option<Line>) -> f64 {
        let clear = line.filter(|l| l.slope.abs() > self.trend_errors * l.slope_error);
        clear.map_or(0.0, |line| line.slope)
    }

    /// Whether a threshold, or a learning rate, has moved by so much that an earlier trend says nothing.
    pub(super) fn jumped(&self, before: f64, now: f64) -> bool {
        !(now / before).ln().abs().le(&self.threshold_jump)
    }
}

/// Entered at one value and left below another, so that noise does not toggle it.
#[derive(Debug, Clone)]
pub(super) struct Hysteresis {
    enter: f64,
    leave: f64,
    inside: bool,
}

impl Hysteresis {
    pub fn new(enter: f64, leave: f64) -> Self {
        Self { enter, leave, inside: false }
    }

    /// Takes the next value in.
    pub fn observe(&mut self, value: f64) {
        self.inside = value >= if self.inside { self.leave } else { self.enter };
    }

    pub fn is_inside(&self) -> bool {
        self.inside
    }
}

/// The latest points of a series.
#[derive(Debug, Clone)]
pub(super) struct Trend {
    points: VecDeque<(f64, f64)>,
    capacity: usize,
}

/// A least-squares line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    /// Change per step.
    pub slope: f64,
    /// Standard error of the slope, from the scatter about the line.
    pub slope_error: f64,
    /// The line at the latest point.
    pub now: f64,
    /// Standard deviation of the points about the line.
    pub scatter: f64,
    /// Steps from the first point to the latest.
    pub span: f64,
}

impl Trend {
    /// Of at most `capacity` points.
    pub fn new(capacity: usize) -> Self {
        Self { points: VecDeque::new(), capacity }
    }

    pub fn push(&mut self, step: usize, value: f64) {
        if !value.is_finite() {
            return;
        }
        if self.points.len() == self.capacity {
            self.points.pop_front();
        }
        self.points.push_back((step as f64, value));
    }

    pub fn clear(&mut self) {
        self.points.clear();
    }

    pub fn values(&self) -> impl DoubleEndedIterator<Item = f64> + '_ {
        self.points.iter().map(|point| point.1)
    }

    /// The line through the latest half of the points, and how much steeper it is than that through
    /// the others, per step between the middles of the two.
    pub fn bend(&self) -> Option<(Line, f64)> {
        let half = |points: std::collections::vec_deque::Iter<'_, (f64, f64)>| {
            let part = Self { points: points.copied().collect(), capacity: self.capacity };
            part.line()
        };
        let middle = self.points.len() / 2;
        let (old, new) = (half(self.points.range(..middle))?, half(self.points.range(middle..))?);
        let apart = (self.points.back()?.0 - self.points.front()?.0) / 2.0;
        Some((new, (new.slope - old.slope) / apart))
    }

    /// The line, from three points on.
    pub fn line(&self) -> Option<Line> {
        let n = self.points.len() as f64;
        let (&(first, _), &(last, _)) = (self.points.front()?, self.points.back()?);
        if self.points.len() < 3 || last <= first {
            return None;
        }
        let mean = |f: &dyn Fn(&(f64, f64)) -> f64| self.points.iter().map(f).sum::<f64>() / n;
        let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
        let sxx = n * mean(&|p| (p.0 - x).powi(2));
        let slope = n * mean(&|p| (p.0 - x) * (p.1 - y)) / sxx;
        let squares = n * mean(&|p| (p.1 - y - slope * (p.0 - x)).powi(2));
        let scatter = (squares / (n - 2.0)).sqrt();
        Some(Line {
            slope,
            slope_error: scatter / sxx.sqrt(),
            scatter,
            now: y + slope * (last - x),
            span: last - first,
        })
    }
}

/// The median, or `None` of nothing. Values are finite.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect();
    (!values.is_empty()).then(|| Data::new(values).median())
}

/// The spread of finite `values` about `centre` as a standard deviation of a normal distribution: 1.4826
/// times the median absolute deviation (0 of nothing).
pub fn robust_deviation(values: &[f64], centre: f64) -> f64 {
    const NORMAL: f64 = 1.4826;
    NORMAL * median(values.iter().map(|value| (value - centre).abs())).unwrap_or(0.0)
}
