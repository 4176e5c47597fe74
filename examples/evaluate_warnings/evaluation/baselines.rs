//! Simpler warnings: a score per row, from the rows alone.

use std::collections::VecDeque;

use sharpscope::record::StepRow;
use sharpscope::stability::{median, robust_deviation};

/// Values before a row that its own is compared with.
const WINDOW: usize = 12;
/// So many of them have to be there.
const LEAST: usize = 3;
/// By so many robust deviations a value has to exceed the median for the cumulative sum to grow.
const DRIFT: f64 = 0.5;
/// Rows that a trend is over.
const TREND_ROWS: usize = 8;

/// A score for each row, where it has one.
pub type Scores = Vec<Option<f64>>;

/// The value itself.
pub fn value(rows: &[StepRow], value: impl Fn(&StepRow) -> Option<f64>) -> Scores {
    rows.iter().map(value).collect()
}

/// The value of the latest row before that has one.
pub fn value_before(rows: &[StepRow], value: impl Fn(&StepRow) -> Option<f64>) -> Scores {
    let mut latest = None;
    let before = |row: &StepRow| {
        let now = value(row)?;
        latest.replace(now)
    };
    rows.iter().map(before).collect()
}

/// How many robust deviations the value is above the median of the twelve before it.
pub fn deviation(rows: &[StepRow], value: impl Fn(&StepRow) -> Option<f64>) -> Scores {
    let mut window: VecDeque<f64> = VecDeque::new();
    let deviation = |row: &StepRow| {
        let value = value(row).filter(|value| value.is_finite())?;
        let before: Vec<f64> = window.iter().copied().collect();
        if window.len() == WINDOW {
            window.pop_front();
        }
        window.push_back(value);
        let centre = median(before.iter().copied())?;
        let score = (value - centre) / robust_deviation(&before, centre);
        (before.len() >= LEAST && !score.is_nan()).then_some(score)
    };
    rows.iter().map(deviation).collect()
}

/// Page's one-sided cumulative sum (1954) of the loss: S = max(0, S + z - 1/2), z being
/// [`deviation`]. It starts anew after a spike, which is what it looks for.
pub fn cumulative_sum(rows: &[StepRow], in_spike: &[bool]) -> Scores {
    let mut sum = 0.0_f64;
    let add = |(deviation, &in_spike): (Option<f64>, &bool)| {
        if in_spike {
            sum = 0.0;
        }
        let deviation = deviation.filter(|deviation| deviation.is_finite() && !in_spike)?;
        sum = (sum + deviation - DRIFT).max(0.0);
        Some(sum)
    };
    deviation(rows, |row| row.train_loss).into_iter().zip(in_spike).map(add).collect()
}

/// Least-squares slope of the logarithm over the latest eight rows, per step.
pub fn log_trend(rows: &[StepRow], value: impl Fn(&StepRow) -> Option<f64>) -> Scores {
    let logarithm = |row: &StepRow| value(row).map(f64::ln).filter(|value| value.is_finite());
    trends(rows, logarithm)
}

/// How near 1 the edge ratio is along the line through its latest eight values: minus the steps until it is
/// there, if it rises. From 1 on there is nothing more to say.
pub fn sharpening(rows: &[StepRow]) -> Scores {
    let ratio = |row: &StepRow| row.edge_ratio.filter(|ratio| ratio.is_finite());
    let nearness = |(slope, row): (Option<f64>, &StepRow)| {
        let below = 1.0 - ratio(row).filter(|&ratio| ratio < 1.0)?;
        Some(slope.filter(|&slope| slope > 0.0).map_or(f64::NEG_INFINITY, |slope| -below / slope))
    };
    trends(rows, ratio).into_iter().zip(rows).map(nearness).collect()
}

/// The slope of the least-squares line through the latest values, at each row that has one and seven before.
fn trends(rows: &[StepRow], value: impl Fn(&StepRow) -> Option<f64>) -> Scores {
    let mut latest: VecDeque<(f64, f64)> = VecDeque::new();
    let slope = |row: &StepRow| {
        let value = value(row)?;
        if latest.len() == TREND_ROWS {
            latest.pop_front();
        }
        latest.push_back((row.step as f64, value));
        let n = latest.len() as f64;
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| latest.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
        let slope = mean(&|p| (p.0 - x) * (p.1 - y)) / mean(&|p| (p.0 - x).powi(2));
        (latest.len() == TREND_ROWS).then_some(slope)
    };
    rows.iter().map(slope).collect()
}
