//! Writes a run into its directory while it happens.

use std::fs::File;
use std::io::Write;

use super::{
    FigureLabels, Manifest, RunDirectory, cells, json, to_png, to_safetensors, to_svg,
    write_spectrum,
};
use crate::autodiff::{ParameterLayout, Precision};
use crate::error::{Error, Result};
use crate::record::{Columns, Event, StepRow, Summary, column_names};
use crate::spectrum::Spectrum;
use crate::train::{Checkpoint, Observer};

const CHECKPOINTS: &str = "checkpoints";

/// The weights after `step` updates, within the run directory.
pub fn checkpoint_file(step: usize) -> String {
    format!("{CHECKPOINTS}/step-{step}.safetensors")
}

/// The diagonal of the preconditioner there, under the parameters' names.
pub fn preconditioner_file(step: usize) -> String {
    format!("{CHECKPOINTS}/step-{step}.preconditioner.safetensors")
}

/// The files of a run under way.
pub struct RunWriter {
    directory: RunDirectory,
    manifest: Manifest,
    labels: FigureLabels,
    columns: Columns,
    layout: ParameterLayout,
    steps: csv::Writer<File>,
    events: File,
    rows: Vec<StepRow>,
}

impl RunWriter {
    /// Writes the manifest and the initial weights `theta` (length P), and opens the tables, that of
    /// steps with these columns.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn start(
        directory: RunDirectory,
        manifest: Manifest,
        columns: Columns,
        labels: FigureLabels,
        layout: &ParameterLayout,
        theta: &[f64],
    ) -> Result<Self> {
        directory.write("manifest.json", &json::to_bytes(&manifest)?)?;
        let init = to_safetensors(layout, theta, manifest.precision)?;
        directory.write("init.safetensors", &init)?;
        let events = directory.open("events.jsonl")?;
        let mut steps = csv::Writer::from_writer(directory.open("steps.csv")?);
        let header = steps.write_record(column_names(columns));
        header.and_then(|()| Ok(steps.flush()?)).map_err(|e| steps_error(&directory, e))?;
        let layout = layout.clone();
        Ok(Self { directory, manifest, labels, columns, layout, steps, events, rows: Vec::new() })
    }

    /// Writes summary and pictures, and completes the manifest.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Numerical`] if a picture cannot be drawn.
    pub fn finish(mut self, summary: &Summary, error: Option<&Error>) -> Result<RunDirectory> {
        self.directory.write("summary.json", &json::to_bytes(summary)?)?;
        self.manifest.finished = Some(now());
        self.manifest.exit_code = Some(summary.status.code());
        self.manifest.error = error.map(Error::to_string);
        self.directory.write("manifest.json", &json::to_bytes(&self.manifest)?)?;
        let svg = to_svg(&self.rows, &self.labels)?;
        self.directory.write("sharpness.svg", svg.as_bytes())?;
        self.directory.write("sharpness.png", &to_png(&self.rows, &self.labels)?)?;
        Ok(self.directory)
    }
}

/// The present time as the manifest writes it.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn steps_error(directory: &RunDirectory, error: csv::Error) -> Error {
    Error::Io { action: "write", path: directory.file("steps.csv"), source: error.into() }
}

impl Observer for RunWriter {
    fn row(&mut self, row: &StepRow) -> Result<()> {
        let written = self.steps.write_record(cells(row, self.columns));
        written
            .and_then(|()| Ok(self.steps.flush()?))
            .map_err(|e| steps_error(&self.directory, e))?;
        self.rows.push(row.clone());
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        let mut line = serde_json::to_vec(event)
            .map_err(|e| Error::Numerical { what: "writing an event", reason: e.to_string() })?;
        line.push(b'\n');
        self.events.write_all(&line).map_err(|source| Error::Io {
            action: "write",
            path: self.directory.file("events.jsonl"),
            source,
        })
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        let Checkpoint { step, theta, operator } = checkpoint;
        self.directory.make_folder(CHECKPOINTS)?;
        let parameters = to_safetensors(&self.layout, theta, self.manifest.precision)?;
        self.directory.write(&checkpoint_file(step), &parameters)?;
        if let Some(preconditioner) = &operator.preconditioner {
            let bytes = to_safetensors(&self.layout, preconditioner, Precision::F64)?;
            self.directory.write(&preconditioner_file(step), &bytes)?;
        }
        Ok(())
    }

    fn spectrum(&mut self, spectrum: &Spectrum) -> Result<()> {
        write_spectrum(&self.directory, spectrum, &self.labels.threshold, &serde_json::Value::Null)
    }
}
