//! Averages of what models say, rather than of their weights.

use crate::error::{Result, check_length};

/// The probabilities of classes for outputs `[rows, classes]`: the softmax of each row.
pub fn probabilities(outputs: &[f64], classes: usize) -> Vec<f64> {
    let mut probabilities = outputs.to_vec();
    for row in probabilities.chunks_mut(classes.max(1)) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.iter_mut().for_each(|x| *x = (*x - largest).exp());
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|x| *x /= sum);
    }
    probabilities
}

/// Mean negative logarithm of the probability of each row's class, and the share of rows whose most probable class it
/// is, for probabilities `[rows, classes]`.
///
/// # Errors
/// [`crate::Error::Length`] where there are not as many rows as labels.
pub fn cross_entropy(
    probabilities: &[f64],
    labels: &[usize],
    classes: usize,
) -> Result<(f64, f64)> {
    check_length("probabilities", probabilities.len(), labels.len() * classes)?;
    let rows = || probabilities.chunks(classes.max(1)).zip(labels);
    let loss: f64 = rows().map(|(row, &label)| -row[label].ln()).sum();
    Ok((loss / labels.len() as f64, share_right(probabilities, labels, classes)))
}

/// Half the squared distance between outputs and targets, `[rows, outputs]` both, summed over outputs and averaged over
/// rows.
///
/// # Errors
/// [`crate::Error::Length`] where they are not alike.
pub fn squared_error(outputs: &[f64], targets: &[f64], rows: usize) -> Result<f64> {
    check_length("targets", targets.len(), outputs.len())?;
    let sum: f64 = outputs.iter().zip(targets).map(|(f, y)| 0.5 * (f - y) * (f - y)).sum();
    Ok(sum / rows.max(1) as f64)
}

/// The share of rows whose largest entry is at the label.
pub fn share_right(scores: &[f64], labels: &[usize], classes: usize) -> f64 {
    let right = |(row, &label): (&[f64], &usize)| row.iter().all(|x| *x <= row[label]);
    let count = scores.chunks(classes.max(1)).zip(labels).filter(|&pair| right(pair)).count();
    count as f64 / labels.len().max(1) as f64
}
