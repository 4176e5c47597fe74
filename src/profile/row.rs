//! What trainer and profiler write into a row alike.

use crate::autodiff::GradientEvaluation;
use crate::linalg::norm;
use crate::record::StepRow;

/// The row of the update with rate `lr` from `theta` (length P), before anything is evaluated.
pub(crate) fn begin(step: usize, lr: f64, theta: &[f64]) -> StepRow {
    StepRow { step, lr, param_norm: Some(norm(theta)), ..StepRow::default() }
}

/// Enters loss and gradient over the training samples.
pub(crate) fn enter_evaluation(row: &mut StepRow, full: &GradientEvaluation) {
    row.train_loss = Some(full.evaluation.loss);
    row.train_accuracy = full.evaluation.accuracy;
    row.grad_norm = Some(norm(&full.gradient));
}

/// Enters the norms of the update from `before` to `after` (length P each), and returns it.
pub(crate) fn enter_update(row: &mut StepRow, before: &[f64], after: &[f64]) -> Vec<f64> {
    let change: Vec<f64> = after.iter().zip(before).map(|(a, b)| a - b).collect();
    let update = norm(&change);
    row.update_norm = Some(update);
    row.relative_update = row.param_norm.filter(|&norm| norm != 0.0).map(|norm| update / norm);
    change
}
