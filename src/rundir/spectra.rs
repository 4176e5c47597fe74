//! The files of a spectrum in a run directory.

use serde_json::Value;

use super::{RunDirectory, json, pictures, spectrum_csv, spectrum_json};
use crate::curvature::{Matrix, Spectrum};
use crate::digest::digest;
use crate::error::Result;

/// The folder of spectra in a run directory.
pub const FOLDER: &str = "spectra";
/// The key of the checksum of a spectrum's table, in its numbers.
const TABLE_SUM: &str = "table_sha256";

/// The bytes of the table `{stem}.csv`, if they are those that its numbers tell of.
///
/// # Errors
/// What the system says, or that they are others.
pub(super) fn read_table(directory: &RunDirectory, stem: &str) -> std::io::Result<Vec<u8>> {
    let table = std::fs::read(directory.file(&format!("{stem}.csv")))?;
    let numbers = std::fs::read(directory.file(&format!("{stem}.json"))).unwrap_or_default();
    let numbers: Value = serde_json::from_slice(&numbers).unwrap_or_default();
    match is_table_of(&numbers, &table) {
        true => Ok(table),
        false => Err(std::io::Error::other("it is not what was written, by its checksum")),
    }
}

/// Whether these are the bytes of the table that a spectrum's numbers tell of; an earlier version's tell of none.
pub(crate) fn is_table_of(numbers: &Value, table: &[u8]) -> bool {
    numbers.get(TABLE_SUM).is_none_or(|sum| *sum == digest(&[table]))
}

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
/// [`crate::Error::Io`]. A picture that cannot be drawn or written is warned of.
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
    if let Some(numbers) = numbers.as_object_mut() {
        numbers.extend(more.as_object().cloned().unwrap_or_default());
        numbers.insert(TABLE_SUM.to_string(), digest(&[&table]).into());
    }
    directory.write(&format!("{stem}.json"), &json::to_bytes(&numbers)?)?;
    // The numbers are there; a picture can be drawn from them at any time.
    if let Err(error) = pictures::draw_spectrum(directory, spectrum, &stem, &table, threshold_label)
    {
        tracing::warn!("a picture of {stem} is missing: {error}");
    }
    Ok(())
}
