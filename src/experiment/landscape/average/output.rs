//! The files of averages.

use serde_json::{Value, json};

use super::super::{Compared, Output};
use super::{Item, Measured, Request};
use crate::error::Result;
use crate::experiment::csv_table::Table;
use crate::figure::{PathCurve, PathFigure, PathPanel, Scale, Stroke, paths_png, paths_svg};
use crate::record::optional;
use crate::rundir::to_safetensors;

/// Writes `average.csv`, `.json`, `.svg` and `.png`, and the weights of each average, `NAME.safetensors`, which
/// `run --init` reads.
///
/// # Errors
/// [`crate::Error::Io`], [`crate::Error::Encode`], [`crate::Error::Draw`].
pub fn write(
    output: &mut Output,
    compared: &Compared,
    measured: &Measured,
    asked: &Request,
) -> Result<()> {
    output.write("average.csv", &table(measured, asked.top)?)?;
    output.json("average", &numbers(measured))?;
    let layout = compared.prepared.problem.train.layout();
    for item in measured.averages.iter().filter(|item| !item.theta.is_empty()) {
        let bytes = to_safetensors(layout, &item.theta, compared.prepared.config.precision)?;
        output.write(&format!("{}.safetensors", item.name), &bytes)?;
    }
    let figure = figure(measured);
    output.picture("average", &paths_svg(&figure)?, &paths_png(&figure)?)
}

fn table(measured: &Measured, top: usize) -> Result<Vec<u8>> {
    let fixed = [
        "name",
        "kind",
        "step",
        "members",
        "train_loss",
        "train_accuracy",
        "val_loss",
        "val_accuracy",
        "held_out_loss",
        "held_out_accuracy",
    ];
    let of = |name: &str| (1..=top).map(|k| format!("{name}_{k}")).collect::<Vec<_>>();
    let eigenvalues: Vec<String> = of("lambda").into_iter().chain(of("residual")).collect();
    let mut table = Table::new(fixed.into_iter().chain(eigenvalues.iter().map(String::as_str)))?;
    let members = measured.members.iter().map(|item| (item, "member", 1));
    let averages = measured.averages.iter().map(|item| (item, "average", item.count));
    for (item, kind, count) in members.chain(averages) {
        let mut row = vec![item.name.clone(), kind.to_string(), item.step.to_string()];
        row.push(count.to_string());
        row.extend(
            [
                Some(item.values.train.loss),
                item.values.train.accuracy,
                item.values.validation.map(|v| v.loss),
                item.values.validation.and_then(|v| v.accuracy),
                item.held_out.map(|v| v.loss),
                item.held_out.and_then(|v| v.accuracy),
            ]
            .map(optional),
        );
        let found = item.sharpness.as_ref();
        for column in [found.map(|s| &s.lambda), found.map(|s| &s.residual)] {
            row.extend((0..top).map(|k| optional(column.and_then(|c| c.get(k).copied()))));
        }
        table.write(row.iter().map(String::as_str))?;
    }
    table.finish()
}

fn numbers(measured: &Measured) -> Value {
    let evaluation = |e: Option<crate::autodiff::Evaluation>| {
        e.map(|e| json!({ "loss": e.loss, "accuracy": e.accuracy }))
    };
    let item = |item: &Item| {
        let of: Vec<&str> = item.of.iter().map(|&i| &measured.members[i].name[..]).collect();
        json!({
            "name": item.name,
            "members": of,
            "points": item.count,
            "train": evaluation(Some(item.values.train)),
            "validation": evaluation(item.values.validation),
            "held_out": evaluation(item.held_out),
            "sharpness": item.sharpness.as_ref().map(|s| &s.lambda),
            "residuals": item.sharpness.as_ref().map(|s| &s.residual),
        })
    };
    json!({
        "averages": measured.averages.iter().map(item).collect::<Vec<_>>(),
        "held_out_indices": measured.held_out,
        "remarks": measured.remarks,
    })
}

/// The members as points, and each average as a line at its height.
fn figure(measured: &Measured) -> PathFigure {
    let across = |(i, item): (usize, &Item)| match measured.soup {
        true => (i + 1) as f64,
        false => item.step as f64,
    };
    let places: Vec<f64> = measured.members.iter().enumerate().map(across).collect();
    let ends = [places.first().copied().unwrap_or(0.0), places.last().copied().unwrap_or(1.0)];
    let curves = |value: &dyn Fn(&Item) -> Option<f64>| -> Vec<PathCurve> {
        let points = places.iter().zip(&measured.members);
        let members = PathCurve {
            label: if measured.soup { "members" } else { "checkpoints" }.to_string(),
            color: 0,
            stroke: Stroke::Solid,
            points: points.filter_map(|(&x, item)| Some((x, value(item)?))).collect(),
        };
        let average = |(i, item): (usize, &Item)| PathCurve {
            label: item.name.clone(),
            color: i + 1,
            stroke: Stroke::Dashed,
            points: value(item).map_or_else(Vec::new, |y| ends.map(|x| (x, y)).into()),
        };
        std::iter::once(members).chain(measured.averages.iter().enumerate().map(average)).collect()
    };
    let panel = |name, scale, curves| PathPanel { name, scale, key: Vec::new(), curves };
    let validation = |item: &Item| Some(item.values.validation?.loss);
    PathFigure {
        title: match measured.soup {
            true => format!("Soups of {} runs", measured.members.len()),
            false => "Averages of checkpoints".to_string(),
        },
        across: if measured.soup { "member" } else { "step" },
        whole: true,
        paths: Vec::new(),
        panels: vec![
            panel("training loss", Scale::Loss, curves(&|item| Some(item.values.train.loss))),
            panel("validation loss", Scale::Loss, curves(&validation)),
            panel(
                "sharpness",
                Scale::Curvature,
                curves(&|item| item.sharpness.as_ref()?.lambda.first().copied()),
            ),
        ],
    }
}
