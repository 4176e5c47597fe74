//! The files of a flow in a run directory: `flows/KIND.csv`, `.json`, `.svg` and `.png`.

use serde_json::{Value, json};

use super::{FlowKind, FlowRow, Followed, Request};
use crate::error::{Error, Result};
use crate::experiment::csv_table::Table;
use crate::figure::{PathCurve, PathFigure, PathPanel, Scale, Stroke, paths_png, paths_svg};
use crate::record::optional;
use crate::rundir::{FLOWS, StoredRun, now, to_json};

/// The files of a flow, without their endings, by their place in the run directory.
pub fn files(kind: FlowKind) -> String {
    format!("{FLOWS}/{kind}")
}

/// Refuses to replace a flow that is there already, without `force`.
///
/// # Errors
/// [`Error::Output`].
pub fn check_output(run: &StoredRun, kind: FlowKind, force: bool) -> Result<()> {
    let stem = files(kind);
    if force || !run.directory().file(&format!("{stem}.csv")).exists() {
        return Ok(());
    }
    let problem = format!("{stem}.csv is there already");
    let (path, remedy) = (run.path().to_path_buf(), "replace it with --force".to_string());
    Err(Error::Output { path, problem, remedy })
}

/// Writes them.
///
/// # Errors
/// [`Error::Io`], [`Error::Encode`], [`Error::Draw`].
pub fn write(run: &StoredRun, request: &Request, followed: &Followed) -> Result<()> {
    let directory = run.directory();
    directory.make_folder(FLOWS)?;
    let stem = files(request.kind);
    directory.write(&format!("{stem}.csv"), &table(followed)?)?;
    directory.write(&format!("{stem}.json"), &to_json(&numbers(run, request, followed)?)?)?;
    let figure = figure(run, request, followed);
    directory.write(&format!("{stem}.svg"), paths_svg(&figure)?.as_bytes())?;
    directory.write(&format!("{stem}.png"), &paths_png(&figure)?)
}

/// Everything but the rows.
///
/// # Errors
/// As [`Request::start`].
pub fn numbers(run: &StoredRun, request: &Request, followed: &Followed) -> Result<Value> {
    let findings = serde_json::to_value(&followed.findings);
    Ok(json!({
        "kind": request.kind.name(),
        "from": request.start(run)?,
        "first_step": followed.rows.first().map(|row| row.step),
        "steps": followed.rows.len(),
        "share": request.share,
        "ended": followed.ended,
        "interrupted": followed.interrupted,
        "threshold": followed.formula,
        "findings": findings.map_err(|e| Error::Encode { what: "JSON", reason: e.to_string() })?,
        "version": env!("CARGO_PKG_VERSION"),
        "written": now(),
    }))
}

/// A column and its cell.
type Cell = (&'static str, fn(&FlowRow) -> Option<f64>);

const POINT: [Cell; 4] = [
    ("lr", |row| Some(row.lr)),
    ("train_loss", |row| Some(row.train_loss)),
    ("train_accuracy", |row| row.train_accuracy),
    ("grad_norm", |row| Some(row.grad_norm)),
];

const EDGE: [Cell; 4] = [
    ("threshold", |row| row.threshold),
    ("edge_ratio", |row| Some(row.sharpness? / row.threshold?)),
    ("predicted_loss", |row| row.predicted_loss),
    ("predicted_grad_norm", |row| row.predicted_grad_norm),
];

const RUN: [Cell; 7] = [
    ("distance", |row| row.distance),
    ("relative_distance", |row| row.relative_distance),
    ("run_train_loss", |row| row.run_train_loss),
    ("run_mean_loss", |row| row.run_mean_loss),
    ("run_sharpness", |row| row.run_sharpness),
    ("run_midpoint_sharpness", |row| row.run_midpoint_sharpness),
    ("violation", |row| row.violation),
];

fn table(followed: &Followed) -> Result<Vec<u8>> {
    let most = followed.rows.iter().map(|row| row.variance.len()).max().unwrap_or(0);
    let sharpness = if followed.of_hessian { "sharpness" } else { "preconditioned_sharpness" };
    let numbered = |name: &'static str| (1..=most).map(move |k| format!("{name}_{k}"));
    let plain = |cells: &[Cell]| cells.iter().map(|cell| cell.0.to_string()).collect::<Vec<_>>();
    let header: Vec<String> = std::iter::once("step".to_string())
        .chain(plain(&POINT))
        .chain([sharpness.to_string()])
        .chain(plain(&EDGE))
        .chain(numbered("variance"))
        .chain(numbered("run_variance"))
        .chain(plain(&RUN))
        .chain(["hvps".to_string()])
        .collect();
    let mut table = Table::new(header.iter().map(String::as_str))?;
    for row in &followed.rows {
        let plain =
            |cells: &[Cell]| cells.iter().map(|cell| optional(cell.1(row))).collect::<Vec<_>>();
        let cells: Vec<String> = std::iter::once(row.step.to_string())
            .chain(plain(&POINT))
            .chain([optional(row.sharpness)])
            .chain(plain(&EDGE))
            .chain((0..most).map(|k| optional(row.variance.get(k).copied())))
            .chain((0..most).map(|k| optional(row.run_variance.get(k).copied().flatten())))
            .chain(plain(&RUN))
            .chain([row.products.to_string()])
            .collect();
        table.write(cells.iter().map(String::as_str))?;
    }
    table.finish()
}

/// Loss, sharpness against the threshold, variance by direction, and distance.
fn figure(run: &StoredRun, request: &Request, followed: &Followed) -> PathFigure {
    let departs = match followed.findings.departs {
        Some(step) => format!("{:.0}% from step {step} on", 100.0 * request.share),
        None => format!("not above {:.0}% for good", 100.0 * request.share),
    };
    let rows = &followed.rows;
    let distance = vec![curve(rows, &departs, FLOW, Stroke::Solid, |row| row.relative_distance)];
    let name = run.path().file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| run.path().display().to_string());
    let sharpness = if followed.of_hessian { "sharpness" } else { "preconditioned sharpness" };
    let panel = |name, scale, curves| PathPanel { name, scale, key: Vec::new(), curves };
    PathFigure {
        title: format!("{} flow beside {name}", capital(request.kind.name())),
        across: "step",
        whole: true,
        paths: Vec::new(),
        panels: vec![
            panel("loss", Scale::Loss, losses(rows, request.kind)),
            panel(sharpness, Scale::Curvature, sharpnesses(followed)),
            panel("variance", Scale::Curvature, variances(rows)),
            panel("distance / way", Scale::Curvature, distance),
        ],
    }
}

/// The colours of the flow and of the run.
const FLOW: usize = 0;
const BESIDE: usize = 1;

fn curve(
    rows: &[FlowRow],
    label: &str,
    color: usize,
    stroke: Stroke,
    of: impl Fn(&FlowRow) -> Option<f64>,
) -> PathCurve {
    let points = rows.iter().filter_map(|row| Some((row.step as f64, of(row)?))).collect();
    PathCurve { label: label.to_string(), color, stroke, points }
}

fn losses(rows: &[FlowRow], kind: FlowKind) -> Vec<PathCurve> {
    let mut curves = vec![curve(rows, "flow", FLOW, Stroke::Solid, |row| Some(row.train_loss))];
    if kind.oscillates() {
        let predicted = |row: &FlowRow| row.predicted_loss;
        curves.push(curve(rows, "predicted of the run", 2, Stroke::Dashed, predicted));
        curves.push(curve(rows, "run, mean", BESIDE, Stroke::Solid, |row| row.run_mean_loss));
    }
    curves.push(curve(rows, "run", BESIDE, Stroke::Pale, |row| row.run_train_loss));
    curves
}

fn sharpnesses(followed: &Followed) -> Vec<PathCurve> {
    let rows = &followed.rows;
    let threshold = format!("threshold ({})", followed.formula.as_deref().unwrap_or("-"));
    let at_mean = |row: &FlowRow| row.run_midpoint_sharpness;
    vec![
        curve(rows, "flow", FLOW, Stroke::Solid, |row| row.sharpness),
        curve(rows, "run, at the mean of its oscillation", BESIDE, Stroke::Solid, at_mean),
        curve(rows, "run", BESIDE, Stroke::Pale, |row| row.run_sharpness),
        // Black.
        curve(rows, &threshold, 7, Stroke::Dashed, |row| row.threshold),
    ]
}

fn variances(rows: &[FlowRow]) -> Vec<PathCurve> {
    /// Directions that are drawn.
    const DRAWN: usize = 3;
    let mut curves = Vec::new();
    for k in 0..DRAWN {
        let name = |what| if k == 0 { what } else { "" };
        let predicted = |row: &FlowRow| row.variance.get(k).copied();
        let measured = |row: &FlowRow| row.run_variance.get(k).copied()?;
        curves.push(curve(rows, name("predicted"), k, Stroke::Dashed, predicted));
        curves.push(curve(rows, name("measured"), k, Stroke::Solid, measured));
    }
    curves
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
