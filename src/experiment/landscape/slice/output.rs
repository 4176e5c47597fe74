//! The files of a slice.

use serde_json::{Value, json};

use super::super::Output;
use super::{Axis, Measured, Request};
use crate::error::Result;
use crate::experiment::csv_table::Table;
use crate::figure::{
    ContourFigure, PathCurve, PathFigure, PathPanel, Scale, Stroke, contour_png, contour_svg,
    paths_png, paths_svg,
};
use crate::landscape::Values;
use crate::linalg::norm;
use crate::record::optional;

/// Writes `slice.csv`, `.json`, `.svg` and `.png`, and `points.csv` where runs or checkpoints are marked.
///
/// # Errors
/// [`crate::Error::Io`], [`crate::Error::Encode`], [`crate::Error::Draw`].
pub fn write(output: &mut Output, measured: &Measured, asked: &Request) -> Result<()> {
    output.write("slice.csv", &table(measured)?)?;
    output.json("slice", &numbers(measured, asked))?;
    if !measured.slice.marks.is_empty() {
        output.write("points.csv", &points(measured)?)?;
    }
    if asked.dimensions == 1 {
        let figure = lines(measured);
        return output.picture("slice", &paths_svg(&figure)?, &paths_png(&figure)?);
    }
    let figure = contours(measured);
    output.picture("slice", &contour_svg(&figure)?, &contour_png(&figure)?)
}

fn cells(values: &Values) -> [String; 4] {
    let validation = values.validation;
    [
        Some(values.train.loss),
        values.train.accuracy,
        validation.map(|v| v.loss),
        validation.and_then(|v| v.accuracy),
    ]
    .map(optional)
}

const VALUES: [&str; 4] = ["train_loss", "train_accuracy", "val_loss", "val_accuracy"];

/// The loss of the quadratic with the slope and the curvature at the center.
fn quadratic(measured: &Measured, axis: &Axis, x: f64) -> Option<f64> {
    let (slope, eigenvalue) = (axis.slope?, axis.eigenvalue?);
    Some(measured.slice.center_loss + slope * x + 0.5 * eigenvalue * x * x)
}

fn table(measured: &Measured) -> Result<Vec<u8>> {
    let plane = measured.cuts.first().is_some_and(|cut| !cut.ys.is_empty());
    let first: &[&str] = if plane { &["x", "y"] } else { &["direction", "x"] };
    let last = (!plane).then_some("quadratic");
    let mut table = Table::new(first.iter().copied().chain(VALUES).chain(last))?;
    for (cut, axis) in measured.cuts.iter().zip(&measured.slice.axes) {
        for (at, values) in cut.values.iter().enumerate() {
            let x = cut.xs[at % cut.xs.len()];
            let mut row = match plane {
                true => vec![optional(Some(x)), optional(Some(cut.ys[at / cut.xs.len()]))],
                false => vec![axis.name.clone(), optional(Some(x))],
            };
            row.extend(cells(values));
            if !plane {
                row.push(optional(quadratic(measured, axis, x)));
            }
            table.write(row.iter().map(String::as_str))?;
        }
    }
    table.finish()
}

fn points(measured: &Measured) -> Result<Vec<u8>> {
    let mut table = Table::new(["name", "step", "x", "y", "off_plane"].into_iter())?;
    for mark in &measured.slice.marks {
        let numbers = [mark.at[0], mark.at[1], mark.off].map(|x| optional(Some(x)));
        let row = [mark.name.clone(), mark.step.to_string()].into_iter().chain(numbers);
        table.write(row.collect::<Vec<_>>().iter().map(String::as_str))?;
    }
    table.finish()
}

fn numbers(measured: &Measured, asked: &Request) -> Value {
    let slice = &measured.slice;
    let axis = |axis: &Axis| {
        json!({
            "name": axis.name,
            "norm": norm(&axis.direction),
            "ends": [axis.ends.0, axis.ends.1],
            "eigenvalue": axis.eigenvalue,
            "residual": axis.residual,
            "second_difference": axis.second_difference,
            "slope": axis.slope,
            "unit": axis.unit,
            "share_of_variance": axis.share,
        })
    };
    json!({
        "along": asked.along,
        "center": slice.center_name,
        "center_loss": slice.center_loss,
        "directions": slice.axes.iter().map(axis).collect::<Vec<_>>(),
        "cosine": slice.cosine,
        "remarks": slice.remarks,
    })
}

/// Loss along each direction, with the quadratic of an eigenvector beside it.
fn lines(measured: &Measured) -> PathFigure {
    let several = measured.cuts.len() > 1;
    let mut curves = Vec::new();
    for (i, (cut, axis)) in measured.cuts.iter().zip(&measured.slice.axes).enumerate() {
        let curve = |label: &str, color, stroke, points: Vec<(f64, f64)>| PathCurve {
            label: if several { String::new() } else { label.to_string() },
            color,
            stroke,
            points,
        };
        let over = |y: &dyn Fn(usize) -> Option<f64>| -> Vec<(f64, f64)> {
            cut.xs.iter().enumerate().filter_map(|(k, &x)| Some((x, y(k)?))).collect()
        };
        let train = over(&|k| Some(cut.values[k].train.loss));
        curves.push(curve("training", i, Stroke::Solid, train));
        let quadratic = over(&|k| quadratic(measured, axis, cut.xs[k]));
        curves.push(curve("quadratic by slope and eigenvalue", i, Stroke::Dashed, quadratic));
        if !several {
            let validation = over(&|k| Some(cut.values[k].validation?.loss));
            curves.push(curve("validation", 1, Stroke::Solid, validation));
        }
    }
    let has_quadratic = measured.slice.axes.iter().any(|axis| axis.eigenvalue.is_some());
    let key = match several {
        true if has_quadratic => vec![
            ("training loss", Stroke::Solid),
            ("quadratic by slope and eigenvalue", Stroke::Dashed),
        ],
        _ => Vec::new(),
    };
    let names = measured.slice.axes.iter().map(|axis| match axis.eigenvalue {
        Some(eigenvalue) => format!("{} (λ {})", axis.name, crate::figure::short(eigenvalue)),
        None => axis.name.clone(),
    });
    PathFigure {
        title: format!("Slices of the loss at {}", measured.slice.center_name),
        across: "distance along the direction",
        whole: false,
        paths: if several { names.collect() } else { Vec::new() },
        panels: vec![PathPanel { name: "loss", scale: Scale::Share, key, curves }],
    }
}

fn contours(measured: &Measured) -> ContourFigure {
    let slice = &measured.slice;
    let cut = &measured.cuts[0];
    let name = |axis: &Axis| match (axis.eigenvalue, axis.share) {
        (Some(eigenvalue), _) => format!("{} (λ {})", axis.name, crate::figure::short(eigenvalue)),
        (_, Some(share)) => format!("{} ({:.0}% of the variance)", axis.name, 100.0 * share),
        _ => axis.name.clone(),
    };
    let trajectory = slice.marks.len() > 3 || slice.joined;
    ContourFigure {
        title: format!("Training loss around {}", slice.center_name),
        axes: [name(&slice.axes[0]), name(&slice.axes[1])],
        xs: cut.xs.clone(),
        ys: cut.ys.clone(),
        values: cut.values.iter().map(|values| values.train.loss).collect(),
        regions: Vec::new(),
        marks: match slice.marks.is_empty() {
            true => vec![(slice.center_name.clone(), 0.0, 0.0)],
            false => {
                slice.marks.iter().map(|mark| (mark.name.clone(), mark.at[0], mark.at[1])).collect()
            }
        },
        joined: trajectory,
        note: match slice.cosine.filter(|cosine| cosine.abs() > 1e-6) {
            Some(cosine) => format!("directions at a cosine of {cosine:.3}"),
            None => "directions are orthogonal".to_string(),
        },
    }
}
