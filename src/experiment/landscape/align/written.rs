//! The files of an alignment.

use serde_json::{Value, json};

use super::{Aligned, AlignedLine, Alignment};
use crate::error::Result;
use crate::experiment::csv_table::Table;
use crate::experiment::landscape::{Compared, Output, path_cells, path_columns};
use crate::figure::{PathCurve, PathFigure, PathPanel, Scale, Stroke, paths_png, paths_svg};
use crate::landscape::PathPoint;
use crate::record::optional;
use crate::rundir::to_safetensors;

/// Writes `aligned.safetensors`, `align.csv`, `.json`, `.svg` and `.png`, `sweeps.csv` and
/// `rearrangement.json`.
///
/// # Errors
/// [`crate::Error::Io`], [`crate::Error::Encode`], [`crate::Error::Draw`].
pub fn write(
    output: &mut Output,
    compared: &Compared,
    asked: &Alignment,
    found: &Aligned,
) -> Result<()> {
    let layout = compared.prepared.problem.train.layout();
    let precision = compared.prepared.device.precision();
    output.write("aligned.safetensors", &to_safetensors(layout, &found.theta, precision)?)?;
    output.write("align.csv", &lines_table(asked.top, &found.lines)?)?;
    output.write("sweeps.csv", &sweeps_table(found)?)?;
    let encoded = serde_json::to_value(&found.matching.rearrangement);
    let encoded =
        encoded.map_err(|e| crate::Error::Encode { what: "JSON", reason: e.to_string() })?;
    output.json("rearrangement", &encoded)?;
    output.json("align", &numbers(found))?;
    let names: Vec<&str> = compared.members.iter().map(|member| &member.name[..]).collect();
    let picture = figure(format!("Straight line: {}", names.join(" to ")), &found.lines);
    output.picture("align", &paths_svg(&picture)?, &paths_png(&picture)?)
}

fn lines_table(top: usize, lines: &[AlignedLine]) -> Result<Vec<u8>> {
    let columns = path_columns(top);
    let mut table = Table::new(["line"].into_iter().chain(columns.iter().map(String::as_str)))?;
    for line in lines {
        for point in &line.points {
            let cells = path_cells(point, top);
            table.write([line.name].into_iter().chain(cells.iter().map(String::as_str)))?;
        }
    }
    table.finish()
}

fn sweeps_table(found: &Aligned) -> Result<Vec<u8>> {
    let mut table = Table::new(["start", "sweep", "objective"].into_iter())?;
    for sweep in &found.matching.sweeps {
        let cells =
            [sweep.start.to_string(), sweep.sweep.to_string(), optional(Some(sweep.objective))];
        table.write(cells.iter().map(String::as_str))?;
    }
    table.finish()
}

fn numbers(found: &Aligned) -> Value {
    let (moved, flipped, units) = found.matching.rearrangement.counts();
    let objective = |start: usize| {
        let last = found.matching.sweeps.iter().rev().find(|sweep| sweep.start == start);
        last.map(|sweep| sweep.objective)
    };
    let starts = found.matching.sweeps.last().map_or(0, |sweep| sweep.start + 1);
    let lines: Vec<Value> = found
        .lines
        .iter()
        .map(|l| json!({ "line": l.name, "train": l.train, "validation": l.validation }))
        .collect();
    let [before, after] = found.values;
    json!({
        "units": units,
        "moved": moved,
        "flipped": flipped,
        "best_start": found.matching.best,
        "objectives": (0..starts).map(objective).collect::<Vec<_>>(),
        "distance_before": found.distances[0],
        "distance_after": found.distances[1],
        "train_loss_before": before.train.loss,
        "train_loss_after": after.train.loss,
        "val_loss_before": before.validation.map(|v| v.loss),
        "val_loss_after": after.validation.map(|v| v.loss),
        "lines": lines,
    })
}

type Of = dyn Fn(&PathPoint) -> Option<f64>;

fn figure(title: String, lines: &[AlignedLine]) -> PathFigure {
    let curves = |train: &Of, validation: Option<&Of>| -> Vec<PathCurve> {
        let curve = |color, line: &AlignedLine, stroke, value: &Of| PathCurve {
            label: if stroke == Stroke::Solid { line.name.to_string() } else { String::new() },
            color,
            stroke,
            points: line.points.iter().filter_map(|p| Some((p.t, value(p)?))).collect(),
        };
        let of = |(color, line): (usize, &AlignedLine)| {
            let train = curve(color, line, Stroke::Solid, train);
            let validation = validation.map(|of| curve(color, line, Stroke::Dashed, of));
            [train].into_iter().chain(validation).collect::<Vec<_>>()
        };
        lines.iter().enumerate().flat_map(of).collect()
    };
    let loss = curves(&|p| Some(p.values.train.loss), Some(&|p| Some(p.values.validation?.loss)));
    let accuracy = curves(&|p| p.values.train.accuracy, Some(&|p| p.values.validation?.accuracy));
    let sharpness = curves(&|p| p.sharpness.as_ref()?.lambda.first().copied(), None);
    let key = vec![("training", Stroke::Solid), ("validation", Stroke::Dashed)];
    let panel = |name, scale, key, curves| PathPanel { name, scale, key, curves };
    PathFigure {
        title,
        across: "share of the way",
        whole: false,
        paths: Vec::new(),
        panels: vec![
            panel("loss", Scale::Loss, key, loss),
            panel("accuracy", Scale::Share, Vec::new(), accuracy),
            panel("sharpness", Scale::Curvature, Vec::new(), sharpness),
        ],
    }
}
