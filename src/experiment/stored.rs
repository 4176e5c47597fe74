//! What a run directory says of how its run was set up.

use super::{Prepared, prepare};
use crate::config::{RunConfig, Settings};
use crate::device::{BackendChoice, Precision};
use crate::error::{Error, Result};
use crate::rundir::{ManifestHead, RunDirectory};
use crate::stability::{Monitor, StabilitySettings};

const REMEDY: &str = "name the directory of a 'sharpscope run'";

/// The settings that a run was made with; its folder, and that an earlier one may be replaced, are not
/// among them.
///
/// # Errors
/// [`Error::File`] for what is no run directory, or whose manifest does not say.
pub fn stored_settings(directory: &RunDirectory) -> Result<Settings> {
    let path = directory.file("manifest.json");
    let wrong = |problem: String| Error::file(&path, None, problem, REMEDY);
    let head = directory.manifest_head()?.ok_or_else(|| wrong("there is none".to_string()))?;
    if head.config.get("model").is_none() {
        return Err(wrong("it does not say which model was trained".to_string()));
    }
    let settings: Settings = serde_json::from_value(head.config)
        .map_err(|e| wrong(format!("its config cannot be used ({e})")))?;
    Ok(Settings { out: None, force: None, resume: None, ..settings })
}

/// The run's problem, on its device or, where that is not there any more, on the CPU. Its initial
/// weights are not those of the run where they came from a file.
///
/// # Errors
/// As [`stored_settings`] and [`prepare`].
pub fn stored_problem(directory: &RunDirectory) -> Result<Prepared> {
    let settings = Settings { init: None, ..stored_settings(directory)? };
    let config = RunConfig::resolve(settings)?;
    match prepare(config.clone()) {
        Err(Error::Device { .. }) => prepare(RunConfig { backend: BackendChoice::Cpu, ..config }),
        other => other,
    }
}

/// A monitor as the run had, with other constants if they are given: it knows the run's precision,
/// tolerance and learning rates where the manifest says them.
///
/// # Errors
/// [`Error::File`] if the manifest cannot be read.
pub fn stored_monitor(
    directory: &RunDirectory,
    settings: Option<StabilitySettings>,
) -> Result<Monitor> {
    // What `run` asks for unless told otherwise.
    const TOLERANCE: f64 = 1e-3;
    let config = directory.manifest_head()?.map(|ManifestHead { config, .. }| config);
    let config = config.unwrap_or_default();
    let precision = match config["precision"].as_str() {
        Some("f64") => Precision::F64,
        _ => Precision::F32,
    };
    let settings =
        settings.unwrap_or_else(|| StabilitySettings::at_resolution(precision.resolution()));
    let tolerance = config["tolerance"].as_f64().unwrap_or(TOLERANCE);
    let monitor = Monitor::new(&settings, tolerance);
    // The rows of somebody else's loop come without a schedule.
    let schedule = stored_settings(directory).and_then(RunConfig::resolve);
    Ok(match schedule {
        Ok(config) => monitor.with_schedule(config.learning_rate()),
        Err(_) => monitor,
    })
}
