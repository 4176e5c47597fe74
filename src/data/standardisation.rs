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
        let (mean, deviation) = moments(samples, |i| dataset.features(i));
        let (target_mean, target_deviation) = moments(samples, |i| dataset.values(i));
        Self { mean, deviation, target_mean, target_deviation }
    }

    /// Replaces x by (x - mean) / deviation in every sample of `dataset`, its numbers to be
    /// predicted included.
    pub fn apply(&self, dataset: &mut Dataset) {
        dataset.map_features(|j, x| (x - self.mean[j]) / self.deviation[j]);
        dataset.map_values(|j, y| (y - self.target_mean[j]) / self.target_deviation[j]);
    }
}

/// Mean and standard deviation of each column of some rows.
fn moments<'a>(samples: &[usize], row: impl Fn(usize) -> &'a [f64]) -> (Vec<f64>, Vec<f64>) {
    let columns = samples.first().map_or(0, |&i| row(i).len());
    let average = |f: &dyn Fn(&[f64], usize) -> f64| -> Vec<f64> {
        let column = |j| samples.iter().map(|&i| f(row(i), j)).sum::<f64>() / samples.len() as f64;
        (0..columns).map(column).collect()
    };
    let mean = average(&|row, j| row[j]);
    let deviation = average(&|row, j| (row[j] - mean[j]).powi(2))
        .into_iter()
        .map(|variance| if variance > 0.0 { variance.sqrt() } else { 1.0 })
        .collect();
    (mean, deviation)
}
