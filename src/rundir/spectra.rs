//! The files of a spectrum in a run directory.

use serde_json::Value;

use super::{RunDirectory, json, pictures, spectrum_csv, spectrum_json};
use crate::curvature::{Matrix, Spectrum};
use crate::error::Result;

/// The folder of spectra in a run directory.
pub const FOLDER: &str = "spectra";

/// `spectra/step-N`, with the matrix and the group where they are not the Hessian of all parameters.
pub fn spectrum_stem(
    step: usize,
    matrix: Matrix,
    preconditioned: bool,
    group: Option<&str>,
) -> String {
    let mut stem = format!("step-{step}");
    let matrix = serde_json::to_value(matrix).unwrap_or_default();
    if let Some(matrix) = matrix.as_str().filter(|&matrix| matrix != "hessian") {
        stem += &format!("-{matrix}");
    }
    if preconditioned {
        stem += "-preconditioned";
    }
    if let Some(group) = group {
        stem += &format!("-{group}");
    }
    format!("{FOLDER}/{stem}")
}

/// Writes a spectrum's table and numbers; `more` is an object of further ones. With the feature `figures`
/// also its pictures, its threshold being marked in them as `threshold_label`, and anew the waterfall of
/// the Hessian's spectra that are there.
///
/// # Errors
/// [`crate::Error::Io`], or [`crate::Error::Draw`] if a picture cannot be drawn.
pub fn write_spectrum(
    directory: &RunDirectory,
    spectrum: &Spectrum,
    threshold_label: &str,
    more: &Value,
) -> Result<()> {
    directory.make_folder(FOLDER)?;
    let Spectrum { step, matrix, preconditioned, .. } = *spectrum;
    let stem = spectrum_stem(step, matrix, preconditioned, spectrum.group.as_deref());
    let table = spectrum_csv(spectrum)?;
    directory.write(&format!("{stem}.csv"), &table)?;
    let mut numbers = spectrum_json(spectrum);
    if let (Some(numbers), Some(more)) = (numbers.as_object_mut(), more.as_object()) {
        numbers.extend(more.clone());
    }
    directory.write(&format!("{stem}.json"), &json::to_bytes(&numbers)?)?;
    pictures::draw_spectrum(directory, spectrum, &stem, &table, threshold_label)
}
