//! The mean of what several points say, as one model.

use crate::autodiff::{Evaluation, Objective};
use crate::data::{Dataset, Targets};
use crate::error::{Error, Result};
use crate::landscape::{RunningMean, cross_entropy, probabilities, share_right, squared_error};
use crate::problem::Loss;

/// Loss and accuracy of the mean over `thetas`: of probabilities with cross-entropy (Garipov et al. 2018), of outputs with
/// squared error, which has no probabilities.
///
/// # Errors
/// If the device reports failure.
pub(super) fn ensemble(
    objective: &mut dyn Objective,
    dataset: &Dataset,
    loss: Loss,
    thetas: &[&[f64]],
) -> Result<Evaluation> {
    let classes = dataset.outputs();
    let mut mean = RunningMean::default();
    for theta in thetas {
        objective.set_parameters(theta)?;
        let Some(outputs) = objective.outputs()? else {
            let reason = "the task does not say what its outputs are".to_string();
            return Err(Error::Numerical { what: "averaging outputs", reason });
        };
        mean.add(&match loss {
            Loss::Ce => probabilities(&outputs, classes),
            Loss::Mse => outputs,
        })?;
    }
    let samples = objective.sample_numbers();
    let labels: Option<Vec<usize>> = match &dataset.targets {
        Targets::Classes { labels, .. } => Some(samples.iter().map(|&i| labels[i]).collect()),
        Targets::NextToken => {
            Some(samples.iter().flat_map(|&i| &dataset.window(i)[1..]).copied().collect())
        }
        Targets::Values { .. } => None,
    };
    if let (Loss::Ce, Some(labels)) = (loss, &labels) {
        let (loss, accuracy) = cross_entropy(mean.mean(), labels, classes)?;
        return Ok(Evaluation { loss, accuracy: Some(accuracy) });
    }
    let targets: Vec<f64> = match &labels {
        Some(labels) => {
            let one_hot =
                |&label: &usize| (0..classes).map(move |c| f64::from(u8::from(c == label)));
            labels.iter().flat_map(one_hot).collect()
        }
        None => samples.iter().flat_map(|&i| dataset.values(i)).copied().collect(),
    };
    let rows = targets.len() / classes.max(1);
    Ok(Evaluation {
        loss: squared_error(mean.mean(), &targets, rows)?,
        accuracy: labels.map(|labels| share_right(mean.mean(), &labels, classes)),
    })
}
