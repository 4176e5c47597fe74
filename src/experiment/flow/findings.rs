//! What a flow's rows say of it.

use serde::Serialize;

use super::follow::{FlowRow, Spent};
use crate::record::StepRow;

/// Steps before and after one that a mean is over.
const AROUND: usize = 25;

/// A flow has left the run where it is away for so many steps at least, up to the last.
const LASTS: usize = 10;

/// The flow beside the run, in a few numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Findings {
    /// The first step from which on the flow is farther from the run than the share of its way that was asked about, to
    /// the end and for ten steps at least. (Of the first steps, whose way is short, any difference is a large share.)
    pub departs: Option<usize>,
    /// The largest distance by the way that the run has gone, and the last.
    pub relative_distance: Option<[f64; 2]>,
    /// The first step at which the run's recorded sharpness is at the threshold.
    pub run_at_edge: Option<usize>,
    /// At the edge, for a flow with an oscillation.
    pub edge: Option<Edge>,
    /// The largest violation of the oscillation's conditions.
    pub violation: Option<f64>,
    /// By how much the run's losses, computed again, are off those that it recorded, at most and relative to them.
    pub replay_difference: Option<f64>,
    /// Gradients and Hessian-vector products of the flow.
    pub products: usize,
    /// Seconds with the flow.
    pub seconds: f64,
    /// Seconds with the run beside it, and the sharpness at the mean of its oscillation.
    pub beside_seconds: f64,
    /// Seconds that these steps took the run, where they were recorded.
    pub run_seconds: Option<f64>,
}

/// What is predicted beside what was measured, from the first step with an oscillation on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Edge {
    /// The first step.
    pub first: usize,
    /// How many.
    pub steps: usize,
    /// The largest distance of the flow's sharpness from the threshold, relative to it.
    pub sharpness_off: f64,
    /// The mean and the largest distance of the predicted loss from the mean of the run's, relative to it.
    pub loss_off: [f64; 2],
    /// Of each direction: the mean of the run's variance over the mean of the predicted one.
    pub variance_ratio: Vec<f64>,
    /// Of each direction: the correlation of the two over the steps.
    pub variance_correlation: Vec<Option<f64>>,
}

impl Findings {
    pub(super) fn of(rows: &[FlowRow], share: f64, spent: Spent, recorded: &[StepRow]) -> Self {
        let distances = || rows.iter().filter_map(|row| row.relative_distance);
        let most = distances().fold(f64::NAN, f64::max);
        let seconds = rows.iter().map(|row| {
            let row = recorded.get(row.step)?;
            Some((row.step_ms + row.curvature_ms.unwrap_or(0.0)) / 1e3)
        });
        let off = |row: &FlowRow| {
            let (again, then) = (row.run_train_loss?, recorded.get(row.step)?.train_loss?);
            Some(if again == then { 0.0 } else { (again / then - 1.0).abs() })
        };
        let largest =
            |of: &dyn Fn(&FlowRow) -> Option<f64>| rows.iter().filter_map(of).reduce(f64::max);
        let ratio = |row: &FlowRow| Some(row.run_sharpness? / row.threshold?);
        Self {
            departs: departs(rows, share),
            relative_distance: distances().next_back().map(|last| [most, last]),
            run_at_edge: rows
                .iter()
                .find(|row| ratio(row).is_some_and(|r| r >= 1.0))
                .map(|row| row.step),
            edge: Edge::of(rows),
            violation: largest(&|row| row.violation),
            replay_difference: largest(&off),
            products: rows.iter().map(|row| row.products).sum(),
            seconds: spent.flow.as_secs_f64(),
            beside_seconds: spent.beside.as_secs_f64(),
            run_seconds: seconds.sum::<Option<f64>>().filter(|_| !rows.is_empty()),
        }
    }
}

fn departs(rows: &[FlowRow], share: f64) -> Option<usize> {
    let away = |row: &&FlowRow| row.relative_distance.is_some_and(|r| r > share);
    let lasting = rows.iter().rev().take_while(away).count();
    (lasting >= LASTS).then(|| rows[rows.len() - lasting].step)
}

impl Edge {
    fn of(rows: &[FlowRow]) -> Option<Self> {
        let has = |row: &FlowRow| {
            row.violation.is_some() && row.variance.first().is_some_and(|v| *v > 0.0)
        };
        let first = rows.iter().position(has)?;
        let rows = &rows[first..];
        let off = |row: &FlowRow| Some((row.sharpness? / row.threshold? - 1.0).abs());
        let loss = |row: &FlowRow| {
            let (predicted, mean) =
                (row.predicted_loss.unwrap_or(row.train_loss), row.run_mean_loss?);
            Some((predicted / mean - 1.0).abs())
        };
        let losses: Vec<f64> = rows.iter().filter_map(loss).collect();
        let count = losses.len().max(1) as f64;
        let directions = rows.iter().map(|row| row.variance.len()).max().unwrap_or(0);
        let pairs = |k: usize| -> Vec<(f64, f64)> {
            let of =
                |row: &FlowRow| Some((*row.variance.get(k)?, row.run_variance.get(k).copied()??));
            rows.iter().filter_map(of).collect()
        };
        let ratio = |k: usize| {
            let sum = |(a, b): (f64, f64), (x, y): (f64, f64)| (a + x, b + y);
            let (predicted, measured) = pairs(k).into_iter().fold((0.0, 0.0), sum);
            measured / predicted
        };
        Some(Self {
            first: rows[0].step,
            steps: rows.len(),
            sharpness_off: rows.iter().filter_map(off).fold(0.0, f64::max),
            loss_off: [
                losses.iter().sum::<f64>() / count,
                losses.iter().copied().fold(0.0, f64::max),
            ],
            variance_ratio: (0..directions).map(ratio).collect(),
            variance_correlation: (0..directions).map(|k| correlation(&pairs(k))).collect(),
        })
    }
}

/// Pearson's; `None` where one of the two does not vary.
fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len() as f64;
    let (a, b) = pairs.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let sums = pairs.iter().fold([0.0; 3], |[aa, ab, bb], (x, y)| {
        [aa + (x - a) * (x - a), ab + (x - a) * (y - b), bb + (y - b) * (y - b)]
    });
    let [aa, ab, bb] = sums;
    let found = ab / (aa * bb).sqrt();
    found.is_finite().then_some(found)
}

/// The mean over the rows around each, fewer at the ends, of those that have it.
pub(super) fn smoothed(rows: &[FlowRow], of: impl Fn(&FlowRow) -> Option<f64>) -> Vec<Option<f64>> {
    let values: Vec<Option<f64>> = rows.iter().map(of).collect();
    let mean = |at: usize| {
        values[at]?;
        // As far to one side as to the other.
        let reach = AROUND.min(at).min(values.len() - 1 - at);
        let around: Vec<f64> = values[at - reach..=at + reach].iter().flatten().copied().collect();
        Some(around.iter().sum::<f64>() / around.len() as f64)
    };
    (0..values.len()).map(mean).collect()
}
