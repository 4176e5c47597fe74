//! Straight lines between runs, and their barriers.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Compared, Output, path_cells, path_columns};
use crate::error::{Error, Result};
use crate::experiment::csv_table::Table;
use crate::experiment::landscape::path::{at_least, follow, measured};
use crate::figure::{
    MatrixFigure, PathCurve, PathFigure, PathPanel, Scale, Stroke, matrix_png, matrix_svg,
    paths_png, paths_svg,
};
use crate::landscape::{Barriers, FollowSettings, PathPoint, is_monotone, line};
use crate::record::optional;
use crate::rundir::StoredRun;

/// What is asked of straight lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interpolation {
    /// Points on each line, its ends among them.
    pub points: usize,
    /// Eigenvalues followed along it; 0 for none.
    pub top: usize,
    /// Points from one solve from nothing to the next.
    pub audit_every: usize,
    /// Whether the line is that from a run's start to its end, of which is asked whether the loss only falls.
    pub from_start: bool,
}

/// A measured line between two of the runs.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredLine {
    /// Where it starts, by the order of the runs.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// Its points, both ends among them.
    pub points: Vec<PathPoint>,
    /// Barriers over the training samples.
    pub train: Barriers,
    /// Barriers over the validation samples, where there are any.
    pub validation: Option<Barriers>,
}

impl Interpolation {
    /// Refuses fewer points than two.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self, runs: usize) -> Result<()> {
        at_least("--points", self.points, 2, "a line has two ends")?;
        at_least("--audit-every", self.audit_every, 1, "must not be zero")?;
        if runs < 2 {
            let remedy = "name two or more, or the start and the end of one with --init-to-final";
            return Err(Error::setting("RUN", runs, "a line is between two runs", remedy));
        }
        Ok(())
    }

    /// Measures the line between each two of the runs. Those that are done are told with the number of all.
    ///
    /// # Errors
    /// If the device reports failure.
    pub fn measure(
        &self,
        compared: &mut Compared,
        mut told: impl FnMut(usize, usize),
    ) -> Result<Vec<MeasuredLine>> {
        let count = compared.members.len();
        let pairs: Vec<(usize, usize)> =
            (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))).collect();
        let mut lines = Vec::new();
        for &(from, to) in &pairs {
            lines.push(self.between(compared, from, to)?);
            told(lines.len(), pairs.len());
        }
        Ok(lines)
    }

    fn between(&self, compared: &mut Compared, from: usize, to: usize) -> Result<MeasuredLine> {
        let Compared { members, prepared, .. } = compared;
        let path = line(&members[from].theta, &members[to].theta)?;
        let settings =
            FollowSettings { audit_every: self.audit_every, ..follow(prepared, self.top) };
        let (points, train, validation) = measured(prepared, settings, self.points, path)?;
        Ok(MeasuredLine { from, to, points, train, validation })
    }
}

/// `RUN@0` and `RUN`: the ends of the line from where training started.
///
/// # Errors
/// As [`StoredRun::open`].
pub fn start_and_end(run: &std::path::Path) -> Result<Vec<PathBuf>> {
    let stored = StoredRun::open(run)?;
    let start = format!("{}@0", stored.path().display());
    Ok(vec![PathBuf::from(start), run.to_path_buf()])
}

impl MeasuredLine {
    /// Whether the training loss only falls along it but for rounding, and its largest rise.
    pub fn monotone(&self) -> (bool, f64) {
        let losses: Vec<f64> = self.points.iter().map(|point| point.values.train.loss).collect();
        let largest = losses.iter().copied().fold(0.0, f64::max);
        is_monotone(&losses, 1e-6 * largest)
    }

    /// The distance between its ends.
    pub fn length(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.arc_length)
    }
}

/// Writes `interpolate.csv`, `.json`, `.svg` and `.png`, and of more than two runs `barriers.csv`, `.svg` and `.png`.
///
/// # Errors
/// [`Error::Io`], [`Error::Encode`], [`Error::Draw`].
pub fn write(
    output: &mut Output,
    names: &[String],
    lines: &[MeasuredLine],
    asked: Interpolation,
) -> Result<()> {
    output.write("interpolate.csv", &points_table(names, lines, asked.top)?)?;
    output.json("interpolate", &numbers(names, lines, asked))?;
    let figure = figure(names, lines);
    output.picture("interpolate", &paths_svg(&figure)?, &paths_png(&figure)?)?;
    if names.len() > 2 {
        output.write("barriers.csv", &barrier_table(names, lines)?)?;
        let matrix = matrix(names, lines);
        output.picture("barriers", &matrix_svg(&matrix)?, &matrix_png(&matrix)?)?;
    }
    Ok(())
}

fn points_table(names: &[String], lines: &[MeasuredLine], top: usize) -> Result<Vec<u8>> {
    let columns = path_columns(top);
    let header = ["from", "to"].into_iter().chain(columns.iter().map(String::as_str));
    let mut table = Table::new(header)?;
    for line in lines {
        for point in &line.points {
            let ends = [names[line.from].clone(), names[line.to].clone()];
            let cells: Vec<String> = ends.into_iter().chain(path_cells(point, top)).collect();
            table.write(cells.iter().map(String::as_str))?;
        }
    }
    table.finish()
}

fn barrier_table(names: &[String], lines: &[MeasuredLine]) -> Result<Vec<u8>> {
    let kinds = ["error_barrier", "loss_barrier", "over_worse_end", "saddle"];
    let columns: Vec<String> = ["train", "val"]
        .iter()
        .flat_map(|samples| kinds.map(|kind| format!("{samples}_{kind}")))
        .collect();
    let header = ["from", "to", "distance"].into_iter();
    let mut table = Table::new(header.chain(columns.iter().map(String::as_str)))?;
    for line in lines {
        let of = |barriers: Option<Barriers>| {
            let value = |of: fn(Barriers) -> f64| barriers.map(of);
            [
                barriers.and_then(|b| b.error).map(|b| b.value),
                value(|b| b.loss.value),
                value(|b| b.over_worse_end.value),
                value(|b| b.saddle.value),
            ]
        };
        let mut cells = vec![names[line.from].clone(), names[line.to].clone()];
        cells.push(optional(Some(line.length())));
        cells.extend(of(Some(line.train)).into_iter().chain(of(line.validation)).map(optional));
        table.write(cells.iter().map(String::as_str))?;
    }
    table.finish()
}

fn numbers(names: &[String], lines: &[MeasuredLine], asked: Interpolation) -> Value {
    let line = |line: &MeasuredLine| {
        let sharpness = line.points.iter().filter_map(|p| p.sharpness.as_ref());
        let (monotone, rise) = line.monotone();
        let mut numbers = json!({
            "from": names[line.from],
            "to": names[line.to],
            "distance": line.length(),
            "train": line.train,
            "validation": line.validation,
            "max_residual": sharpness.clone().flat_map(|s| &s.residual).copied().reduce(f64::max),
            "unconverged_points": sharpness.clone().filter(|s| !s.converged).count(),
            "hvps": sharpness.map(|s| s.products).sum::<usize>(),
        });
        if asked.from_start {
            numbers["monotone"] = json!(monotone);
            numbers["largest_rise"] = json!(rise);
        }
        numbers
    };
    json!({ "points": asked.points, "top": asked.top, "lines": lines.iter().map(line).collect::<Vec<_>>() })
}

/// The training loss barriers of all pairs; nothing on the diagonal.
fn matrix(names: &[String], lines: &[MeasuredLine]) -> MatrixFigure {
    let n = names.len();
    let mut cells = vec![None; n * n];
    for line in lines {
        for at in [line.from * n + line.to, line.to * n + line.from] {
            cells[at] = Some(line.train.loss.value);
        }
    }
    MatrixFigure {
        title: "Barriers between runs".to_string(),
        names: names.to_vec(),
        cells,
        note: "largest training loss on the straight line above that between its ends".to_string(),
    }
}

fn figure(names: &[String], lines: &[MeasuredLine]) -> PathFigure {
    let several = lines.len() > 1;
    let between = |line: &MeasuredLine| format!("{} to {}", names[line.from], names[line.to]);
    let curve = |label: &str, color, stroke, points: &[PathPoint], value: &Of| PathCurve {
        label: if several { String::new() } else { label.to_string() },
        color,
        stroke,
        points: points.iter().filter_map(|p| Some((p.t, value(p)?))).collect(),
    };
    let both = |train: &Of, validation: &Of| -> Vec<PathCurve> {
        let of = |(i, line): (usize, &MeasuredLine)| {
            let (first, second) = if several { (i, i) } else { (0, 1) };
            let stroke = if several { Stroke::Dashed } else { Stroke::Solid };
            [
                curve("training", first, Stroke::Solid, &line.points, train),
                curve("validation", second, stroke, &line.points, validation),
            ]
        };
        lines.iter().enumerate().flat_map(of).collect()
    };
    let loss = both(&|p| Some(p.values.train.loss), &|p| Some(p.values.validation?.loss));
    let accuracy = both(&|p| p.values.train.accuracy, &|p| p.values.validation?.accuracy);
    let key = match several {
        true => vec![("training", Stroke::Solid), ("validation", Stroke::Dashed)],
        false => Vec::new(),
    };
    let panel = |name, scale, key, curves| PathPanel { name, scale, key, curves };
    PathFigure {
        title: match lines {
            [line] => format!("Straight line: {}", between(line)),
            _ => format!("Straight lines between {} runs", names.len()),
        },
        across: "share of the way",
        whole: false,
        paths: if several { lines.iter().map(between).collect() } else { Vec::new() },
        panels: vec![
            panel("loss", Scale::Loss, key, loss),
            panel("accuracy", Scale::Share, Vec::new(), accuracy),
            panel("sharpness", Scale::Curvature, Vec::new(), sharpness_curves(lines)),
        ],
    }
}

type Of = dyn Fn(&PathPoint) -> Option<f64>;

/// The largest eigenvalue of each line, and of a single one the others too.
fn sharpness_curves(lines: &[MeasuredLine]) -> Vec<PathCurve> {
    let several = lines.len() > 1;
    let curve = |color: usize, line: &MeasuredLine, k: usize| {
        let lambda = |p: &PathPoint| Some((p.t, *p.sharpness.as_ref()?.lambda.get(k)?));
        let label = match (several, k) {
            (false, 0) => "λ₁",
            (false, 1) => "further eigenvalues",
            _ => "",
        };
        PathCurve {
            label: label.to_string(),
            color,
            stroke: if k == 0 { Stroke::Solid } else { Stroke::Pale },
            points: line.points.iter().filter_map(lambda).collect(),
        }
    };
    let top = |line: &MeasuredLine| {
        let counts = line.points.iter().filter_map(|p| Some(p.sharpness.as_ref()?.lambda.len()));
        if several { 1 } else { counts.max().unwrap_or(0) }
    };
    let of = |(i, line): (usize, &MeasuredLine)| -> Vec<PathCurve> {
        (0..top(line)).map(|k| curve(i, line, k)).collect()
    };
    lines.iter().enumerate().flat_map(of).collect()
}
