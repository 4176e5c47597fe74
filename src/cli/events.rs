//! `sharpscope events`.

use super::args::EventsArgs;
use super::logging::Terminal;
use crate::error::Error;
use crate::input;
use crate::rundir::StoredRun;
use crate::stability::StabilitySettings;

const REMEDY: &str = "its keys are the constants in the documentation of StabilitySettings";

/// Prints the events that a run's rows tell of, one JSON object a line; returns the exit code.
pub(super) fn events(args: &EventsArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let run = StoredRun::open(&args.run)?;
    run.check_settings()?;
    let rows = run.rows()?;
    let settings = match &args.settings {
        Some(path) => {
            let settings: StabilitySettings =
                input::parse_json(&input::read_text(path, REMEDY)?, path, REMEDY)?;
            settings.validate()?;
            Some(settings)
        }
        None => None,
    };
    let replayed = run.monitor(settings).replay(rows);
    if args.json {
        terminal.json(&replayed.events)?;
        return Ok(0);
    }
    for event in &replayed.events {
        let line = serde_json::to_string(event)
            .map_err(|e| Error::Encode { what: "an event", reason: e.to_string() })?;
        if !terminal.output(&format!("{line}\n")) {
            break;
        }
    }
    Ok(0)
}
