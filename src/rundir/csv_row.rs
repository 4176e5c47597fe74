//! A row as the cells of `steps.csv`.

use crate::record::{Columns, StepRow};

/// The cells of a row, in the order of [`crate::record::column_names`].
/// Numbers are the shortest text that reads back as the same value; what was not measured is empty.
pub fn cells(row: &StepRow, columns: Columns) -> Vec<String> {
    let mut cells = vec![
        row.step.to_string(),
        number(row.lr),
        optional(row.train_loss),
        optional(row.train_accuracy),
        optional(row.val_loss),
        optional(row.val_accuracy),
        optional(row.grad_norm),
        optional(row.update_norm),
        optional(row.param_norm),
        optional(row.relative_update),
        optional(row.sharpness),
        optional(row.preconditioned_sharpness),
        optional(row.batch_sharpness),
        optional(row.threshold),
        optional(row.edge_ratio),
        optional(row.residual),
        row.converged.map_or_else(String::new, |converged| converged.to_string()),
    ];
    cells.extend((0..columns.top).map(|k| optional(row.lambda.get(k).copied())));
    cells.extend([
        optional(row.lambda_min),
        optional(row.gradient_alignment),
        row.hvps.to_string(),
        row.phase.clone().unwrap_or_default(),
        format!("{:.3}", row.step_ms),
        row.curvature_ms.map_or_else(String::new, |ms| format!("{ms:.3}")),
    ]);
    if columns.batch_sharpness_se {
        cells.push(optional(row.batch_sharpness_se));
    }
    if columns.perturbed_sharpness {
        cells.push(optional(row.perturbed_sharpness));
    }
    cells
}

/// A number, or the empty cell of what was not measured.
pub(crate) fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, number)
}

/// Rust's debug form is the shortest that reads back the same, with an exponent where it is shorter.
fn number(value: f64) -> String {
    format!("{value:?}")
}
