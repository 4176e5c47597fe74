//! The files of a spectrum in a run directory.

use std::fs;

use serde_json::Value;

use super::figure::{
    SpectrumFigure, spectrum_png, spectrum_svg, waterfall_choice, waterfall_png, waterfall_svg,
};
use super::{RunDirectory, json};
use crate::curvature::Matrix;
use crate::error::{Error, Result};
use crate::spectrum::{Spectrum, to_csv, to_json};

const FOLDER: &str = "spectra";

/// `step-N`, with the matrix and the group where they are not the Hessian of all parameters.
pub fn spectrum_stem(spectrum: &Spectrum) -> String {
    let mut stem = format!("step-{}", spectrum.step);
    let matrix = serde_json::to_value(spectrum.matrix).unwrap_or_default();
    if let Some(matrix) = matrix.as_str().filter(|&matrix| matrix != "hessian") {
        stem += &format!("-{matrix}");
    }
    if spectrum.preconditioned {
        stem += "-preconditioned";
    }
    if let Some(group) = &spectrum.group {
        stem += &format!("-{group}");
    }
    format!("{FOLDER}/{stem}")
}

/// Writes a spectrum's table, numbers and pictures, the `threshold` being marked in them, and draws
/// the waterfall of the Hessian's spectra that are there anew. `more` is an object of further
/// numbers.
///
/// # Errors
/// [`crate::Error::Io`], or [`crate::Error::Numerical`] if a picture cannot be drawn.
pub fn write_spectrum(
    directory: &RunDirectory,
    spectrum: &Spectrum,
    threshold: Option<f64>,
    more: &Value,
) -> Result<()> {
    directory.make_folder(FOLDER)?;
    let stem = spectrum_stem(spectrum);
    let table = to_csv(spectrum)?;
    directory.write(&format!("{stem}.csv"), &table)?;
    let mut numbers = to_json(spectrum);
    if let (Some(numbers), Some(more)) = (numbers.as_object_mut(), more.as_object()) {
        numbers.extend(more.clone());
    }
    directory.write(&format!("{stem}.json"), &json::to_bytes(&numbers)?)?;

    let name = run_name(directory);
    let figure = SpectrumFigure {
        title: format!("{name}: {} at step {}", described(spectrum), spectrum.step),
        density: curve(&table).map_err(|e| failed(&e))?,
        largest: spectrum.ends.largest.clone(),
        smallest: spectrum.ends.smallest,
        threshold,
        threshold_label: "threshold".to_string(),
        note: note(spectrum),
    };
    directory.write(&format!("{stem}.svg"), spectrum_svg(&figure)?.as_bytes())?;
    directory.write(&format!("{stem}.png"), &spectrum_png(&figure)?)?;
    // The others are in no waterfall.
    if plain_step(&format!("{stem}.csv")).is_none() {
        return Ok(());
    }
    let spectra = plain_spectra(directory);
    if spectra.len() < 2 {
        return Ok(());
    }
    let title = format!("{name}: Hessian spectrum over training");
    let svg = waterfall_svg(&title, &spectra)?;
    directory.write(&format!("{FOLDER}/waterfall.svg"), svg.as_bytes())?;
    directory.write(&format!("{FOLDER}/waterfall.png"), &waterfall_png(&title, &spectra)?)
}

/// The name in the manifest, or that of the folder.
fn run_name(directory: &RunDirectory) -> String {
    let head = directory.manifest_head().ok().flatten();
    let name = head.and_then(|head| Some(head.config.get("name")?.as_str()?.to_string()));
    let folder = || directory.path().file_name().map(|name| name.to_string_lossy().into_owned());
    name.or_else(folder).unwrap_or_else(|| "run".to_string())
}

/// Whose spectrum it is.
fn described(spectrum: &Spectrum) -> String {
    let matrix = match spectrum.matrix {
        Matrix::Hessian => "Hessian",
        Matrix::GaussNewton => "Gauss–Newton",
        Matrix::Fisher => "Fisher",
        Matrix::SampledFisher => "sampled Fisher",
        Matrix::EmpiricalFisher => "empirical Fisher",
        Matrix::Residual => "residual",
    };
    let preconditioned = if spectrum.preconditioned { "preconditioned " } else { "" };
    let group = spectrum.group.as_ref().map(|group| format!(" of {group}")).unwrap_or_default();
    format!("{preconditioned}{matrix} spectrum{group}")
}

/// How it was measured.
fn note(spectrum: &Spectrum) -> String {
    let probes = spectrum.density.probes.len();
    let steps = spectrum.density.probes.iter().map(|p| p.nodes.len()).max().unwrap_or(0);
    let unsure = if spectrum.ends.converged { "" } else { "; marks not converged" };
    format!("σ = {:.2e}; {probes} probes × {steps} Lanczos steps{unsure}", spectrum.sigma)
}

/// The step of the file of a spectrum of the whole Hessian.
fn plain_step(path: &str) -> Option<usize> {
    let name = path.rsplit('/').next()?;
    let digits = name.strip_prefix("step-")?.strip_suffix(".csv")?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The curves of the whole Hessian that are there, by step; of many, those that a waterfall shows.
fn plain_spectra(directory: &RunDirectory) -> Vec<(usize, Vec<(f64, f64)>)> {
    let entries = fs::read_dir(directory.file(FOLDER)).into_iter().flatten().flatten();
    let mut steps: Vec<usize> =
        entries.filter_map(|entry| plain_step(entry.file_name().to_str()?)).collect();
    steps.sort_unstable();
    let read = |step: usize| {
        let path = directory.file(&format!("{FOLDER}/step-{step}.csv"));
        let read = fs::read(&path).map_err(csv::Error::from).and_then(|bytes| curve(&bytes));
        // Files of other runs of this command are no reason to fail.
        read.inspect_err(|e| tracing::warn!("{} is not in the waterfall: {e}", path.display()))
            .ok()
            .map(|curve| (step, curve))
    };
    waterfall_choice(steps.len()).filter_map(|i| read(steps[i])).collect()
}

/// The smoothed density in a spectrum's table: the rows without probe and weight.
fn curve(table: &[u8]) -> csv::Result<Vec<(f64, f64)>> {
    type Row = (f64, Option<f64>, Option<usize>, Option<f64>);
    let rows = csv::Reader::from_reader(table).into_deserialize::<Row>();
    rows.filter_map(|row| match row {
        Ok((eigenvalue, Some(density), None, None)) => Some(Ok((eigenvalue, density))),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
    .collect()
}

fn failed(error: &csv::Error) -> Error {
    Error::Numerical { what: "drawing the spectrum", reason: error.to_string() }
}
