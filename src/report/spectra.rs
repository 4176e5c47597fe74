//! The spectra of a run, as a page holds them.

use serde::Serialize;
use serde_json::Value;

use super::packed::Packed;
use crate::error::Result;
use crate::rundir::{RunDirectory, SPECTRA, StoredRun, StoredSpectrum};

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
/// As [`StoredRun::spectra`].
pub(super) fn spectra(run: &StoredRun) -> Result<Vec<PageSpectrum>> {
    Ok(run.spectra()?.into_iter().map(page_spectrum).collect())
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

fn page_spectrum(spectrum: StoredSpectrum) -> PageSpectrum {
    let (eigenvalue, density): (Vec<f64>, Vec<f64>) = spectrum.curve.iter().copied().unzip();
    let numbers = &spectrum.numbers;
    let ends = &numbers["ends"];
    let largest = ends["largest"].as_array().into_iter().flatten().filter_map(Value::as_f64);
    PageSpectrum {
        step: spectrum.step(),
        matrix: spectrum.name(),
        eigenvalue: Packed::floats(eigenvalue),
        density: Packed::floats(density),
        largest: largest.collect(),
        smallest: ends["smallest"].as_f64(),
        threshold: numbers["threshold"].as_f64(),
        converged: ends["converged"].as_bool().unwrap_or(false),
        text: words(numbers),
        layers: layers(&numbers["layers"]),
    }
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
