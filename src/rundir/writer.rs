//! Writes a run into its directory while it happens.

use std::fs::File;
use std::io::Write;

use super::checkpoint::write_checkpoint;
use super::{Manifest, RunDirectory, StepTable, cells, json, to_safetensors, write_spectrum};
use crate::autodiff::ParameterLayout;
use crate::curvature::Spectrum;
use crate::error::{Error, Result};
use crate::figure::{FigureLabels, to_png, to_svg};
use crate::profile::{Checkpoint, History, Observer};
use crate::record::{Columns, Event, StepRow, Summary, column_names};

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

    /// Goes on with the run in `directory`, of whose tables the rows of `table` and what `history`
    /// holds are kept.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::File`] for a table with other columns.
    pub fn resume(
        directory: RunDirectory,
        manifest: Manifest,
        columns: Columns,
        labels: FigureLabels,
        layout: &ParameterLayout,
        table: &StepTable,
        history: &History,
    ) -> Result<Self> {
        if table.columns != column_names(columns) {
            let path = directory.file("steps.csv");
            let problem = "its columns are not those that this version writes";
            return Err(Error::file(path, Some(1), problem, "run again"));
        }
        let mut kept = csv::Writer::from_writer(Vec::new());
        let written = kept
            .write_record(&table.columns)
            .and_then(|()| table.cells.iter().try_for_each(|record| kept.write_record(record)));
        written.map_err(|e| steps_error(&directory, e))?;
        let kept = kept.into_inner().map_err(|e| steps_error(&directory, e.into_error().into()))?;
        let mut events = Vec::new();
        for event in &history.events {
            events.extend(line(event)?);
        }
        // From here on the run is one that has not ended.
        directory.write("manifest.json", &json::to_bytes(&manifest)?)?;
        directory.remove_ends()?;
        directory.remove_after(table.cells.len())?;
        directory.write("steps.csv", &kept)?;
        directory.write("events.jsonl", &events)?;
        let steps = csv::Writer::from_writer(directory.append("steps.csv")?);
        let events = directory.append("events.jsonl")?;
        let (layout, rows) = (layout.clone(), history.rows.clone());
        Ok(Self { directory, manifest, labels, columns, layout, steps, events, rows })
    }

    /// Writes summary and pictures, and completes the manifest.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Draw`] if a picture cannot be drawn.
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

/// An event as a line of JSON.
fn line(event: &Event) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)
        .map_err(|e| Error::Encode { what: "an event", reason: e.to_string() })?;
    line.push(b'\n');
    Ok(line)
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
        self.events.write_all(&line(event)?).map_err(|source| Error::Io {
            action: "write",
            path: self.directory.file("events.jsonl"),
            source,
        })
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        let Manifest { precision, config, .. } = &self.manifest;
        let seed = config["seed"].as_u64().unwrap_or(0);
        write_checkpoint(&self.directory, &self.layout, *precision, seed, checkpoint)
    }

    fn spectrum(&mut self, spectrum: &Spectrum) -> Result<()> {
        write_spectrum(&self.directory, spectrum, &self.labels.threshold, &serde_json::Value::Null)
    }
}
