//! Tables of measured paths.

use crate::landscape::PathPoint;
use crate::record::optional;

/// The columns of a point of a path, with that many eigenvalues.
pub fn path_columns(top: usize) -> Vec<String> {
    let fixed = ["t", "distance", "train_loss", "train_accuracy", "val_loss", "val_accuracy"];
    let of = |name: &'static str| (1..=top).map(move |k| format!("{name}_{k}"));
    let fixed = fixed.map(str::to_string).into_iter();
    let mut columns: Vec<String> =
        fixed.chain(of("lambda")).chain(of("residual")).chain(of("overlap")).collect();
    if top > 0 {
        columns.extend(["converged", "hvps"].map(str::to_string));
    }
    columns
}

/// The cells of a point under [`path_columns`]; what was not measured is empty.
pub fn path_cells(point: &PathPoint, top: usize) -> Vec<String> {
    let PathPoint { t, arc_length, values, sharpness } = point;
    let validation = values.validation;
    let mut cells: Vec<String> = [
        Some(*t),
        Some(*arc_length),
        Some(values.train.loss),
        values.train.accuracy,
        validation.map(|v| v.loss),
        validation.and_then(|v| v.accuracy),
    ]
    .map(optional)
    .into();
    let found = sharpness.as_ref();
    let columns = [found.map(|s| &s.lambda), found.map(|s| &s.residual), found.map(|s| &s.overlap)];
    for column in columns {
        cells.extend((0..top).map(|k| optional(column.and_then(|column| column.get(k).copied()))));
    }
    if top > 0 {
        cells.push(found.map_or_else(String::new, |s| s.converged.to_string()));
        cells.push(found.map_or_else(String::new, |s| s.products.to_string()));
    }
    cells
}
