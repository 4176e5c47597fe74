//! An event file that grows while a run goes on.

use std::fs::File;
use std::path::Path;

use prost::Message;
use serde_json::Value;

use super::encode::{Encoder, session_end, session_start};
use super::frame::records;
use super::messages;
use super::shown::{Rows, event_shown, settings_shown, spectrum_shown};
use crate::curvature::Spectrum;
use crate::error::{Error, Result};
use crate::profile::{Observer, RunInfo};
use crate::record::{Event, StepRow, Summary, column_names};
use crate::rundir::{Lines, RunDirectory, StoredSpectrum, event_file};

/// Writes a run into event files for TensorBoard in its directory, each record as it is told. Where a run is
/// gone on with, what is there of the steps that are taken again is cut off, and another file begins.
pub struct EventWriter {
    directory: RunDirectory,
    open: Option<Open>,
}

/// The file of a run under way.
struct Open {
    file: Lines,
    encoder: Encoder,
    rows: Rows,
    columns: Vec<String>,
    next: usize,
}

impl EventWriter {
    /// Writes into this folder.
    pub fn new(directory: RunDirectory) -> Self {
        Self { directory, open: None }
    }

    fn write(&mut self, record: impl FnOnce(&mut Open) -> Vec<u8>) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let bytes = record(open);
        open.file.append(&bytes)
    }

    /// Leaves in the files that are there what is of steps before `first`; whether any file is left.
    fn cut(&self, first: usize) -> Result<bool> {
        let mut left = false;
        for (begins, path) in self.directory.event_files() {
            if begins >= first {
                let failed = |source| Error::Io { action: "remove", path: path.clone(), source };
                std::fs::remove_file(&path).map_err(failed)?;
            } else {
                cut(&path, first)?;
                left = true;
            }
        }
        Ok(left)
    }
}

/// Cuts off a file's first record of a step from `first` on, and all behind it.
fn cut(path: &Path, first: usize) -> Result<()> {
    let failed = |source| Error::Io { action: "go on with", path: path.to_path_buf(), source };
    let bytes = std::fs::read(path).map_err(failed)?;
    let before = |bytes: &[u8]| {
        let event = messages::Event::decode(bytes);
        event.is_ok_and(|event| event.file_version.is_some() || (event.step as usize) < first)
    };
    let end = records(&bytes).take_while(|(_, bytes)| before(bytes)).last();
    let end = end.map_or(0, |(end, _)| end as u64);
    let file = File::options().write(true).open(path).map_err(failed)?;
    file.set_len(end).map_err(failed)
}

/// Seconds since 1970.
fn now() -> f64 {
    jiff::Timestamp::now().as_microsecond() as f64 / 1e6
}

impl Observer for EventWriter {
    fn started(&mut self, run: &RunInfo) -> Result<()> {
        let goes_on = self.cut(run.first_step)?;
        let name = event_file(run.first_step);
        let file = Lines::new(self.directory.file(&name), self.directory.open(&name)?);
        let columns = column_names(&run.columns);
        let mut encoder = Encoder::default();
        let mut rows = Rows::default();
        let mut bytes = Encoder::first(now());
        if !goes_on {
            let began = now() - run.history.seconds;
            bytes.extend(session_start(began, 0, title(run), &run.config));
            bytes.extend(encoder.step(began, 0, settings_shown(&run.config)));
            // Of a branch, or a run that had no such file so far.
            let mut time = began;
            for row in &run.history.rows {
                time += (row.step_ms + row.curvature_ms.unwrap_or(0.0)) / 1000.0;
                bytes.extend(encoder.step(time, row.step, rows.of_row(&columns, row)));
            }
            for event in &run.history.events {
                bytes.extend(encoder.step(time, event.step, [event_shown(event)]));
            }
        }
        let mut open = Open { file, encoder, rows, columns, next: run.first_step };
        open.file.append(&bytes)?;
        self.open = Some(open);
        Ok(())
    }

    fn row(&mut self, row: &StepRow) -> Result<()> {
        self.write(|open| {
            open.next = row.step + 1;
            let shown = open.rows.of_row(&open.columns, row);
            open.encoder.step(now(), row.step, shown)
        })
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        self.write(|open| open.encoder.step(now(), event.step, [event_shown(event)]))
    }

    fn spectrum(&mut self, spectrum: &Spectrum) -> Result<()> {
        let spectrum = StoredSpectrum::of(spectrum);
        let shown = spectrum_shown(&spectrum);
        self.write(|open| open.encoder.step(now(), spectrum.step(), shown))
    }

    fn finished(&mut self, summary: &Summary, _: Option<&Error>) -> Result<()> {
        self.write(|open| session_end(now(), open.next, summary.status))
    }
}

/// The run's name.
fn title(run: &RunInfo) -> &str {
    run.config.get("name").and_then(Value::as_str).unwrap_or(&run.title)
}
