//! The files of a spectrum in a run directory.

use serde_json::Value;

use super::{RunDirectory, json};
use crate::error::Result;
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
/// the waterfall of the spectra that are there anew. `more` is an object of further numbers.
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
    directory.write(&format!("{stem}.csv"), &to_csv(spectrum)?)?;
    let mut numbers = to_json(spectrum);
    if let (Some(numbers), Some(more)) = (numbers.as_object_mut(), more.as_object()) {
        numbers.extend(more.clone());
    }
    let _ = threshold;
    directory.write(&format!("{stem}.json"), &json::to_bytes(&numbers)?)
}
