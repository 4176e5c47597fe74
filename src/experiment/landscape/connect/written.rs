//! The files of a curve.

use serde_json::{Value, json};

use super::{Connected, Connection, Measured, TrainedStep};
use crate::error::Result;
use crate::experiment::csv_table::Table;
use crate::experiment::landscape::{Compared, Output, path_cells, path_columns};
use crate::figure::{PathCurve, PathFigure, PathPanel, Scale, Stroke, paths_png, paths_svg};
use crate::landscape::PathPoint;
use crate::record::optional;
use crate::rundir::to_safetensors;

/// Writes `connect.csv`, `.json`, `.svg` and `.png`, `training.csv`, `.svg` and `.png`, and each free control
/// point as `point-N.safetensors`.
///
/// # Errors
/// [`crate::Error::Io`], [`crate::Error::Encode`], [`crate::Error::Draw`].
pub fn write(
    output: &mut Output,
    compared: &Compared,
    asked: &Connection,
    found: &Connected,
) -> Result<()> {
    output.write("connect.csv", &points_table(asked.top, found)?)?;
    output.write("training.csv", &training_table(&found.trained.steps)?)?;
    let layout = compared.prepared.problem.train.layout();
    let precision = compared.prepared.device.precision();
    let points = found.curve.points();
    for (j, point) in points.iter().enumerate().skip(1).take(points.len() - 2) {
        let bytes = to_safetensors(layout, point, precision)?;
        output.write(&format!("point-{j}.safetensors"), &bytes)?;
    }
    output.json("connect", &numbers(found))?;
    let names: Vec<&str> = compared.members.iter().map(|member| &member.name[..]).collect();
    let between = names.join(" to ");
    let curve = asked.method.name();
    let picture = path_figure(format!("{curve} and straight line: {between}"), curve, found);
    output.picture("connect", &paths_svg(&picture)?, &paths_png(&picture)?)?;
    let picture = training_figure(format!("training of the {curve} curve: {between}"), found);
    output.picture("training", &paths_svg(&picture)?, &paths_png(&picture)?)
}

fn points_table(top: usize, found: &Connected) -> Result<Vec<u8>> {
    let columns = path_columns(top);
    let mut table = Table::new(["path"].into_iter().chain(columns.iter().map(String::as_str)))?;
    for (name, path) in [("line", &found.line), ("curve", &found.path)] {
        for point in &path.points {
            let cells = path_cells(point, top);
            table.write([name].into_iter().chain(cells.iter().map(String::as_str)))?;
        }
    }
    table.finish()
}

fn training_table(steps: &[TrainedStep]) -> Result<Vec<u8>> {
    let columns = ["step", "lr", "t", "bends", "loss", "mean_loss", "grad_norm"];
    let mut table = Table::new(columns.into_iter())?;
    for step in steps {
        let cells = [
            step.step.to_string(),
            optional(Some(step.lr)),
            optional(step.t),
            step.bends.to_string(),
            optional(Some(step.loss)),
            optional(step.mean_loss),
            optional(Some(step.grad_norm)),
        ];
        table.write(cells.iter().map(String::as_str))?;
    }
    table.finish()
}

fn numbers(found: &Connected) -> Value {
    let path = |path: &Measured| {
        let sharpness = path.points.iter().filter_map(|p| p.sharpness.as_ref());
        json!({
            "measures": path.measures,
            "train": path.train,
            "validation": path.validation,
            "max_residual": sharpness.clone().flat_map(|s| &s.residual).copied().reduce(f64::max),
            "unconverged_points": sharpness.clone().filter(|s| !s.converged).count(),
            "hvps": sharpness.map(|s| s.products).sum::<usize>(),
        })
    };
    json!({
        "bends": found.curve.free_points(),
        "updates": found.trained.steps.len(),
        "line": path(&found.line),
        "curve": path(&found.path),
        "findings": found.findings,
    })
}

type Of = dyn Fn(&PathPoint) -> Option<f64>;

/// Both over the share of their own length.
fn path_figure(title: String, name: &str, found: &Connected) -> PathFigure {
    let curve = |label: &str, color, stroke, path: &Measured, value: &Of| PathCurve {
        label: label.to_string(),
        color,
        stroke,
        points: path
            .points
            .iter()
            .filter_map(|p| Some((p.arc_length / path.measures.length, value(p)?)))
            .collect(),
    };
    let both = |train: &Of, validation: Option<&Of>| -> Vec<PathCurve> {
        let of = |color, name: &str, path: &Measured| {
            let mut curves = vec![curve(name, color, Stroke::Solid, path, train)];
            curves.extend(validation.map(|of| curve("", color, Stroke::Dashed, path, of)));
            curves
        };
        [of(0, name, &found.path), of(1, "straight line", &found.line)].concat()
    };
    let loss = both(&|p| Some(p.values.train.loss), Some(&|p| Some(p.values.validation?.loss)));
    let accuracy = both(&|p| p.values.train.accuracy, Some(&|p| p.values.validation?.accuracy));
    let sharpness = both(&|p| p.sharpness.as_ref()?.lambda.first().copied(), None);
    let key = vec![("training", Stroke::Solid), ("validation", Stroke::Dashed)];
    let panel = |name, scale, key, curves| PathPanel { name, scale, key, curves };
    PathFigure {
        title,
        across: "share of the length",
        whole: false,
        paths: Vec::new(),
        panels: vec![
            panel("loss", Scale::Loss, key, loss),
            panel("accuracy", Scale::Share, Vec::new(), accuracy),
            panel("sharpness", Scale::Curvature, Vec::new(), sharpness),
        ],
    }
}

/// The loss over the updates, and means over fifty of them.
fn training_figure(title: String, found: &Connected) -> PathFigure {
    const MEAN: usize = 50;
    let steps = &found.trained.steps;
    let curve = |label: &str, color, stroke, points| PathCurve {
        label: label.to_string(),
        color,
        stroke,
        points,
    };
    let each = steps.iter().map(|step| (step.step as f64, step.loss)).collect();
    let means = steps.chunks(MEAN).map(|chunk| {
        let middle = chunk[chunk.len() / 2].step as f64;
        (middle, chunk.iter().map(|step| step.loss).sum::<f64>() / chunk.len() as f64)
    });
    let gradient = steps.iter().map(|step| (step.step as f64, step.grad_norm)).collect();
    PathFigure {
        title,
        across: "update",
        whole: true,
        paths: Vec::new(),
        panels: vec![
            PathPanel {
                name: "loss",
                scale: Scale::Loss,
                key: Vec::new(),
                curves: vec![
                    curve("mean of 50 updates", 0, Stroke::Solid, means.collect()),
                    curve("each update", 0, Stroke::Pale, each),
                ],
            },
            PathPanel {
                name: "gradient norm",
                scale: Scale::Loss,
                key: Vec::new(),
                curves: vec![curve("", 1, Stroke::Solid, gradient)],
            },
        ],
    }
}
