//! Event files for TensorBoard: of a stored run, or written while one goes on.
//!
//! Each number is a tensor under the plugin `scalars`, of single precision, with the double beside it in
//! `double_val`; what was not measured has no point. Tags are the columns' names: `steps/sharpness`, `spectra/trace`,
//! `layers/layers.0/trace`, `flows/central/distance`. Settings are the session of the plugin `hparams`.

mod clock;
mod encode;
mod frame;
mod messages;
mod shown;
mod writer;

use self::clock::Clock;
use self::encode::{Encoder, session_end, session_start};
use self::shown::{Rows, event_shown, flow_shown, settings_shown, spectrum_shown};
use super::{Exporter, File, Source};
use crate::error::{Error, Result};
use crate::record::ExitStatus;
use crate::rundir::event_file;

pub use writer::EventWriter;

pub(super) const EXPORTER: Exporter = Exporter { ending: None, files };

fn files(source: &Source) -> Result<Vec<File>> {
    let files = match source.kind {
        "run" => vec![File::new(event_file(0), bytes(source))],
        _ => {
            let runs = source.runs()?;
            let file = |(folder, run): &(&str, Source)| {
                File::new(format!("{folder}/{}", event_file(0)), bytes(run))
            };
            runs.iter().map(file).collect()
        }
    };
    if files.is_empty() {
        let problem = "TensorBoard shows what goes by the steps of a run, and there is none";
        let remedy = "name a run, or give --to json, csv or parquet";
        return Err(Error::setting("--to", "tensorboard", problem, remedy));
    }
    Ok(files)
}

/// A stored run as an event file; its times are made from when it started and what its steps took.
fn bytes(run: &Source) -> Vec<u8> {
    let mut clock = Clock::of(&run.manifest);
    let mut encoder = Encoder::default();
    let mut file = Encoder::first(clock.now());
    file.extend(session_start(clock.now(), 0, &run.name, run.settings()));
    file.extend(encoder.step(clock.now(), 0, settings_shown(run.settings())));
    let mut spectra: Vec<_> = run.spectra.iter().collect();
    spectra.sort_by_key(|spectrum| spectrum.step());
    let mut flows: Vec<_> = run.flows.iter().flat_map(flow_shown).collect();
    flows.sort_by_key(|(step, _)| *step);
    let mut flows = flows.into_iter().peekable();
    let (mut spectra, mut events) = (spectra.into_iter().peekable(), run.events.iter().peekable());
    let mut rows = Rows::default();
    let mut next = 0;
    if let Some(table) = run.table("steps") {
        for row in 0..table.rows() {
            let cell = |name: &str| Some(table.column(name)?.values.number(row)).flatten();
            let step = cell("step").map_or(row, |step| step as usize);
            clock.take(step, cell("step_ms"), cell("curvature_ms"));
            while let Some(spectrum) = spectra.next_if(|spectrum| spectrum.step() <= step) {
                let shown = spectrum_shown(spectrum);
                file.extend(encoder.step(clock.now(), spectrum.step(), shown));
            }
            file.extend(encoder.step(clock.now(), step, rows.of_table(table, row)));
            while let Some((step, shown)) = flows.next_if(|(at, _)| *at <= step) {
                file.extend(encoder.step(clock.now(), step, shown));
            }
            while let Some(event) = events.next_if(|event| event.step <= step) {
                file.extend(encoder.step(clock.now(), event.step, [event_shown(event)]));
            }
            next = step + 1;
        }
    }
    for spectrum in spectra {
        file.extend(encoder.step(clock.now(), spectrum.step(), spectrum_shown(spectrum)));
    }
    for (step, shown) in flows {
        file.extend(encoder.step(clock.now(), step, shown));
    }
    let status = run.summary.as_ref().map(|summary| summary["status"].clone());
    if let Some(status) = status.and_then(|s| serde_json::from_value::<ExitStatus>(s).ok()) {
        file.extend(session_end(clock.now(), next, status));
    }
    file
}
