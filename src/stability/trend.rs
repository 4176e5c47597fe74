//! The line through the latest measurements.

use std::collections::VecDeque;

use statrs::statistics::{Data, OrderStatistics};

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
        Self { points: VecDeque::with_capacity(capacity), capacity }
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
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect();
    (!values.is_empty()).then(|| Data::new(values).median())
}

/// The spread about `centre` as a standard deviation of a normal distribution: 1.4826 times the median
/// absolute deviation.
pub(super) fn robust_deviation(values: &[f64], centre: f64) -> f64 {
    const NORMAL: f64 = 1.4826;
    NORMAL * median(values.iter().map(|value| (value - centre).abs())).unwrap_or(0.0)
}
