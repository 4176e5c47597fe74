//! `sharpscope events`.

use std::io::Write;

use super::args::EventsArgs;
use crate::autodiff::Precision;
use crate::error::Error;
use crate::input;
use crate::report::RunDirectory;
use crate::stability::{StabilitySettings, replay};

const REMEDY: &str = "its keys are the constants in the documentation of StabilitySettings";

/// Prints the events that a run's rows tell of, one JSON object a line; returns the exit code.
pub(super) fn events(args: &EventsArgs) -> anyhow::Result<u8> {
    let directory = RunDirectory::at(&args.run);
    let rows = directory.steps()?.rows()?;
    let config = directory.manifest_head()?.map(|head| head.config).unwrap_or_default();
    let precision = match config.get("precision").and_then(|precision| precision.as_str()) {
        Some("f64") => Precision::F64,
        _ => Precision::F32,
    };
    let settings = match &args.settings {
        Some(path) => {
            let settings: StabilitySettings =
                input::parse_json(&input::read_text(path, REMEDY)?, path, REMEDY)?;
            settings.validate()?;
            settings
        }
        None => StabilitySettings::at_resolution(precision.resolution()),
    };
    // What `run` asks for unless told otherwise.
    const TOLERANCE: f64 = 1e-3;
    let tolerance = config.get("tolerance").and_then(|tolerance| tolerance.as_f64());
    let replayed = replay(&rows, &settings, tolerance.unwrap_or(TOLERANCE));
    let mut out = std::io::stdout().lock();
    for event in &replayed.events {
        let line = serde_json::to_string(event)
            .map_err(|e| Error::Numerical { what: "writing an event", reason: e.to_string() })?;
        // A closed pipe is the reader's choice.
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    let _ = out.flush();
    Ok(0)
}
