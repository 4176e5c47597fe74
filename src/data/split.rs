//! Which samples train and which validate, and scaling by training statistics.

use rand::Rng;
use rand::seq::SliceRandom;

use super::Dataset;
use crate::error::{Error, Result};

/// Numbers of the training and of the validation samples, in the dataset's order of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Training samples, in the order in which they were drawn.
    pub train: Vec<usize>,
    /// Validation samples; none of them trains.
    pub validation: Vec<usize>,
}

impl Split {
    /// Shuffles all `samples` and takes the first `train` for training and the next `validation`
    /// (or all that are left) for validation.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are not that many samples, or none to train on.
    pub fn shuffled<R: Rng>(
        samples: usize,
        train: usize,
        validation: Option<usize>,
        rng: &mut R,
    ) -> Result<Self> {
        if train == 0 {
            let remedy = "train on at least 1 sample";
            return Err(Error::setting("--train-size", train, "nothing to train on", remedy));
        }
        if train > samples {
            let problem = format!("the dataset has {samples} samples");
            let remedy = format!("give at most {samples}");
            return Err(Error::setting("--train-size", train, problem, remedy));
        }
        let left = samples - train;
        let validation = validation.unwrap_or(left);
        if validation > left {
            let problem = format!("{left} of {samples} samples are left beside the training set");
            let remedy = format!("give at most {left}, or a smaller --train-size");
            return Err(Error::setting("--validation-size", validation, problem, remedy));
        }
        let mut order: Vec<usize> = (0..samples).collect();
        order.shuffle(rng);
        Ok(Self {
            train: order[..train].to_vec(),
            validation: order[train..train + validation].to_vec(),
        })
    }
}

/// Mean and standard deviation of each feature over some samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardisation {
    /// One mean for each feature.
    pub mean: Vec<f64>,
    /// One standard deviation (over n, not n - 1) for each feature; 1 where a feature is constant.
    pub deviation: Vec<f64>,
}

impl Standardisation {
    /// Statistics of the given samples: those that train, so that validation data stay unseen.
    pub fn of(dataset: &Dataset, samples: &[usize]) -> Self {
        let n = samples.len() as f64;
        let average = |f: &dyn Fn(&[f64], usize) -> f64| -> Vec<f64> {
            (0..dataset.inputs)
                .map(|j| samples.iter().map(|&i| f(dataset.features(i), j)).sum::<f64>() / n)
                .collect()
        };
        let mean = average(&|row, j| row[j]);
        let deviation = average(&|row, j| (row[j] - mean[j]).powi(2))
            .into_iter()
            .map(|variance| if variance > 0.0 { variance.sqrt() } else { 1.0 })
            .collect();
        Self { mean, deviation }
    }

    /// Replaces x by (x - mean) / deviation in every sample of `dataset`.
    pub fn apply(&self, dataset: &mut Dataset) {
        dataset.map_features(|j, x| (x - self.mean[j]) / self.deviation[j]);
    }
}
