//! Flows beside a run as tables: a row for each, and their steps.

use serde_json::{Map, Value};

use super::spectra::put;
use super::table::{Column, Table};
use crate::rundir::StoredFlow;

/// Columns that no table of steps has, or has of something else: name, unit, what.
const COLUMNS: [(&str, &str, &str); 11] = [
    ("predicted_loss", "L", "mean of the loss that is expected of the oscillating iterates"),
    ("predicted_grad_norm", "L/w", "root of the mean of ‖g‖² that is expected of them"),
    ("variance", "L", "variance along a direction of the oscillation, the largest first"),
    ("run_variance", "L", "the run's along the same, a mean over 25 steps to either side"),
    ("distance", "w", "from the flow to the mean of the run's oscillation"),
    ("relative_distance", "", "that by how far this mean is from where the flow started"),
    ("run_train_loss", "L", "the run's training loss"),
    ("run_mean_loss", "L", "its mean over 25 steps to either side"),
    ("run_sharpness", "that of `threshold`", "sharpness of the run's operator that it bounds"),
    (
        "run_midpoint_sharpness",
        "that of `threshold`",
        "the same at the mean of the run's oscillation",
    ),
    ("hvps", "", "gradients and Hessian-vector products of the flow since the row before"),
];

/// `flows` and `flow_steps`; none where no flow was followed.
pub(super) fn flow_tables(flows: &[StoredFlow]) -> Vec<Table> {
    if flows.is_empty() {
        return Vec::new();
    }
    let rows: Vec<Map<String, Value>> = flows.iter().map(numbers).collect();
    let steps: Vec<Map<String, Value>> = flows.iter().flat_map(steps).collect();
    let mut steps = Table::of_objects("flow_steps", &steps);
    for column in &mut steps.columns {
        if let Some((_, unit, about)) = known(&column.name) {
            (column.unit, column.about) = (unit.to_string(), about.to_string());
        }
    }
    vec![Table::of_objects("flows", &rows), steps]
}

/// What a column holds, where it is one of these; those of a direction have its number behind their names.
fn known(name: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let stem = name.rsplit_once('_').filter(|(_, k)| k.parse::<usize>().is_ok());
    let stem = stem.map_or(name, |(stem, _)| stem);
    COLUMNS.iter().find(|(known, ..)| *known == stem)
}

/// What a column of a flow holds, with its unit; nothing of one that a table of steps has.
pub(super) fn column_about(name: &str) -> String {
    match known(name) {
        None => String::new(),
        Some((_, "", about)) => about.to_string(),
        Some((_, unit, about)) => format!("{about}, in {unit}"),
    }
}

/// Its numbers: findings under their own names, nested ones joined.
fn numbers(flow: &StoredFlow) -> Map<String, Value> {
    let mut row = Map::new();
    for (name, value) in flow.numbers.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("findings", Value::Object(findings)) => {
                // Of a flow without an oscillation `edge` has no parts.
                let there =
                    findings.iter().filter(|(name, value)| *name != "edge" || value.is_object());
                there.for_each(|(name, value)| put(&mut row, name, value));
            }
            _ => put(&mut row, name, value),
        }
    }
    row
}

/// The flow's steps, each with the flow's name.
fn steps(flow: &StoredFlow) -> impl Iterator<Item = Map<String, Value>> + '_ {
    let table = Table::of_cells(flow.kind(), &flow.columns, &flow.rows);
    let kind = Value::from(flow.kind());
    (0..table.rows()).map(move |row| {
        let cell = |column: &Column| (column.name.clone(), column.values.json(row));
        let first = [("kind".to_string(), kind.clone())];
        first.into_iter().chain(table.columns.iter().map(cell)).collect()
    })
}
