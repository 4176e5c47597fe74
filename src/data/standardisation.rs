//! Scaling by training statistics.

use super::Dataset;

/// Mean and standard deviation of each feature, and of each number to be predicted, over some
/// samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardisation {
    /// One mean for each feature.
    pub mean: Vec<f64>,
    /// One standard deviation (over n, not n - 1) for each feature; 1 where a feature is constant.
    pub deviation: Vec<f64>,
    /// One mean for each number to be predicted; none where those are classes.
    pub target_mean: Vec<f64>,
    /// One standard deviation for each number to be predicted; 1 where it is constant.
    pub target_deviation: Vec<f64>,
}

impl Standardisation {
    /// Statistics of the given samples: those that train, so that validation data stay unseen.
    pub fn of(dataset: &Dataset, samples: &[usize]) -> Self {
        let columns = |row: &dyn Fn(usize) -> usize| samples.first().map_or(0, |&i| row(i));
        let features = columns(&|i| dataset.features(i).len());
        let (mean, deviation) = moments(samples, features, |i, j| dataset.feature(i, j));
        let targets = columns(&|i| dataset.values(i).len());
        let (target_mean, target_deviation) =
            moments(samples, targets, |i, j| dataset.values(i)[j]);
        Self { mean, deviation, target_mean, target_deviation }
    }

    /// Replaces x by (x - mean) / deviation in every sample of `dataset`, its numbers to be
    /// predicted included.
    pub fn apply(&self, dataset: &mut Dataset) {
        dataset.map_features(|j, x| (x - self.mean[j]) / self.deviation[j]);
        dataset.map_values(|j, y| (y - self.target_mean[j]) / self.target_deviation[j]);
    }
}

/// Mean and standard deviation over some rows, of each of so many columns.
fn moments(
    samples: &[usize],
    columns: usize,
    at: impl Fn(usize, usize) -> f64,
) -> (Vec<f64>, Vec<f64>) {
    let average = |f: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        let column = |j| samples.iter().map(|&i| f(i, j)).sum::<f64>() / samples.len() as f64;
        (0..columns).map(column).collect()
    };
    let mean = average(&at);
    let deviation = average(&|i, j| (at(i, j) - mean[j]).powi(2))
        .into_iter()
        .map(|variance| if variance > 0.0 { variance.sqrt() } else { 1.0 })
        .collect();
    (mean, deviation)
}
