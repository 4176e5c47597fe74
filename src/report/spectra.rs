//! The spectra of a run, as a page holds them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::packed::Packed;
use crate::error::{Error, Result};
use crate::input;
use crate::rundir::{RunDirectory, SPECTRA, StoredRun, is_table_of};

const REMEDY: &str = "measure it again with 'sharpscope spectrum --force'";

/// One spectrum.
#[derive(Debug, Serialize)]
pub(super) struct PageSpectrum {
    pub step: usize,
    /// Which matrix: spectra of one are scrubbed through together.
    pub matrix: String,
    eigenvalue: Packed,
    density: Packed,
    largest: Vec<f64>,
    smallest: Option<f64>,
    threshold: Option<f64>,
    converged: bool,
    /// In words: the trace, masses.
    text: String,
    layers: Vec<Layer>,
}

/// A layer's block.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Layer {
    group: String,
    parameters: u64,
    lambda_max: Option<f64>,
    residual: Option<f64>,
    trace: Option<f64>,
}

/// Those that are there, by matrix and step.
///
/// # Errors
/// [`Error::File`] for a file that is not what the program writes.
pub(super) fn spectra(run: &StoredRun) -> Result<Vec<PageSpectrum>> {
    let folder = run.directory().file(SPECTRA);
    let mut found = BTreeMap::new();
    for stem in stems(run.directory()) {
        let spectrum = spectrum(&folder, &stem)?;
        if run.named_step().is_none_or(|last| spectrum.step <= last) {
            found.insert((spectrum.matrix.clone(), spectrum.step), spectrum);
        }
    }
    Ok(found.into_values().collect())
}

/// How many a run under way has.
pub(super) fn count(run: &RunDirectory) -> usize {
    stems(run).len()
}

/// The names of their files, without an ending. A spectrum's table is written before its numbers.
fn stems(run: &RunDirectory) -> Vec<String> {
    let entries = std::fs::read_dir(run.file(SPECTRA)).into_iter().flatten().flatten();
    let stem = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_suffix(".json").filter(|stem| stem.starts_with("step-")).map(str::to_string)
    };
    entries.filter_map(stem).collect()
}

fn spectrum(folder: &Path, stem: &str) -> Result<PageSpectrum> {
    let path = folder.join(format!("{stem}.json"));
    let numbers: Value = input::parse_json(&input::read_text(&path, REMEDY)?, &path, REMEDY)?;
    let Some(step) = numbers["step"].as_u64() else {
        return Err(Error::file(path, None, "it does not say its step", REMEDY));
    };
    let (eigenvalue, density) = curve(&folder.join(format!("{stem}.csv")), &numbers)?;
    let ends = &numbers["ends"];
    let largest = ends["largest"].as_array().into_iter().flatten().filter_map(Value::as_f64);
    Ok(PageSpectrum {
        step: step as usize,
        matrix: matrix(&numbers),
        eigenvalue: Packed::floats(eigenvalue),
        density: Packed::floats(density),
        largest: largest.collect(),
        smallest: ends["smallest"].as_f64(),
        threshold: numbers["threshold"].as_f64(),
        converged: ends["converged"].as_bool().unwrap_or(false),
        text: words(&numbers),
        layers: layers(&numbers["layers"]),
    })
}

/// "hessian", "hessian, preconditioned", "gauss-newton of layers.0".
fn matrix(numbers: &Value) -> String {
    let mut name = numbers["matrix"].as_str().unwrap_or("hessian").to_string();
    if numbers["preconditioned"] == true {
        name += ", preconditioned";
    }
    if let Some(group) = numbers["group"].as_str() {
        name += &format!(" of {group}");
    }
    name
}

/// The smoothed density's curve in a spectrum's table.
fn curve(path: &Path, numbers: &Value) -> Result<(Vec<f64>, Vec<f64>)> {
    let bytes = input::read(path, REMEDY)?;
    if !is_table_of(numbers, &bytes) {
        let problem = "it is not what was written, by its checksum";
        return Err(Error::file(path, None, problem, REMEDY));
    }
    let mut reader = csv::ReaderBuilder::new().from_reader(&bytes[..]);
    let mut curve = (Vec::new(), Vec::new());
    for record in reader.records() {
        let wrong = |problem: String, line| Error::file(path, line, problem, REMEDY);
        let record = record.map_err(|e| {
            wrong(format!("not a table ({e})"), e.position().map(csv::Position::line))
        })?;
        let number = |index: usize| {
            record.get(index).and_then(|cell| cell.parse::<f64>().ok()).ok_or_else(|| {
                let line = record.position().map(csv::Position::line);
                wrong("a cell is not a number".to_string(), line)
            })
        };
        // The nodes of the probes come after the curve.
        if record.get(1).is_none_or(str::is_empty) {
            break;
        }
        curve.0.push(number(0)?);
        curve.1.push(number(1)?);
    }
    Ok(curve)
}

fn words(numbers: &Value) -> String {
    let estimate = |value: &Value| {
        let (mean, error) = (value["value"].as_f64()?, value["standard_error"].as_f64()?);
        Some(format!("{mean:.4} ± {:.2}", 2.0 * error))
    };
    let share =
        |name: &str| Some(format!("{:.2}%", 100.0 * numbers["masses"][name]["value"].as_f64()?));
    let parts = [
        estimate(&numbers["trace"]).map(|trace| format!("trace {trace}")),
        estimate(&numbers["effective_rank"]).map(|rank| format!("effective rank {rank}")),
        share("negative").map(|share| format!("{share} of eigenvalues negative")),
        share("zero").map(|share| format!("{share} near zero")),
        numbers["probes"].as_u64().map(|probes| format!("{probes} probes")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn layers(listed: &Value) -> Vec<Layer> {
    let layer = |layer: &Value| Layer {
        group: layer["group"].as_str().unwrap_or_default().to_string(),
        parameters: layer["parameters"].as_u64().unwrap_or(0),
        lambda_max: layer["lambda_max"].as_f64(),
        residual: layer["residual"].as_f64(),
        trace: layer["trace"]["value"].as_f64(),
    };
    listed.as_array().into_iter().flatten().map(layer).collect()
}
