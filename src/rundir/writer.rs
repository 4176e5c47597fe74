//! Writes a run into its directory while it happens.

use std::fs::File;
use std::io::Write;

use super::checkpoint::write_checkpoint;
use super::pictures::RunPicture;
use super::{
    Manifest, ManifestHead, Resumption, RunDirectory, StepTable, json, to_safetensors,
    write_spectrum,
};
use crate::autodiff::ParameterLayout;
use crate::curvature::Spectrum;
use crate::error::{Error, Result};
use crate::profile::{Checkpoint, Observer, RunInfo};
use crate::record::{Columns, Event, StepRow, Summary, cells, column_names};

/// Writes the files of a run: tables and checkpoints while it goes on, pictures at its end.
pub struct RunWriter {
    directory: RunDirectory,
    kept: Option<Kept>,
    files: Option<Files>,
}

/// What is kept of a run that goes on.
struct Kept {
    table: StepTable,
    head: Option<ManifestHead>,
}

/// The files of a run under way.
struct Files {
    directory: RunDirectory,
    manifest: Manifest,
    seed: u64,
    threshold_label: String,
    columns: Vec<String>,
    layout: ParameterLayout,
    steps: csv::Writer<File>,
    events: File,
    picture: RunPicture,
}

impl RunWriter {
    /// Writes a new run into `directory`.
    pub fn new(directory: RunDirectory) -> Self {
        Self { directory, kept: None, files: None }
    }

    /// Goes on with the run in `directory`, whose manifest says `head`. Of its table the rows of `table`
    /// are kept, and of its events those of the history that the run goes on with. Columns that the run
    /// is to have and the table lacks, being made by an earlier version, come last, empty up to here.
    pub fn resume(
        directory: RunDirectory,
        head: Option<ManifestHead>,
        mut table: StepTable,
        columns: &Columns,
    ) -> Self {
        table.add_columns(column_names(columns));
        Self { directory, kept: Some(Kept { table, head }), files: None }
    }

    fn files(&mut self) -> Result<&mut Files> {
        let path = self.directory.path().to_path_buf();
        let source = || std::io::Error::other("the run has not begun");
        self.files.as_mut().ok_or_else(|| Error::Io { action: "write", path, source: source() })
    }
}

impl Files {
    /// Writes manifest and initial weights, and opens the tables.
    fn create(directory: RunDirectory, run: &RunInfo) -> Result<Self> {
        let manifest = Manifest::of(run);
        directory.write("manifest.json", &json::to_bytes(&manifest)?)?;
        let init = to_safetensors(&run.layout, &run.theta, run.precision)?;
        directory.write("init.safetensors", &init)?;
        let events = directory.open("events.jsonl")?;
        let mut steps = csv::Writer::from_writer(directory.open("steps.csv")?);
        let columns = column_names(&run.columns);
        let header = steps.write_record(&columns);
        header.and_then(|()| Ok(steps.flush()?)).map_err(|e| steps_error(&directory, e))?;
        Ok(Self::of(directory, manifest, run, columns, (steps, events)))
    }

    /// Cuts the tables down to what is kept, and opens them.
    fn go_on(directory: RunDirectory, run: &RunInfo, kept: Kept) -> Result<Self> {
        let Kept { table, head } = kept;
        let mut manifest = Manifest::of(run);
        let begins = head.is_none() && run.parent.is_some();
        if let Some(head) = head {
            manifest.parent = head.parent;
            manifest.started = head.started.unwrap_or(manifest.started);
            manifest.working_directory = head.working_directory;
            manifest.resumed = head.resumed;
        }
        if !begins {
            manifest.resumed.push(Resumption { time: now(), step: run.first_step });
        }
        let mut cells = csv::Writer::from_writer(Vec::new());
        let written = cells
            .write_record(&table.columns)
            .and_then(|()| table.cells.iter().try_for_each(|record| cells.write_record(record)));
        written.map_err(|e| steps_error(&directory, e))?;
        let cells =
            cells.into_inner().map_err(|e| steps_error(&directory, e.into_error().into()))?;
        let mut events = Vec::new();
        for event in &run.history.events {
            events.extend(line(event)?);
        }
        // From here on the run is one that has not ended.
        directory.write("manifest.json", &json::to_bytes(&manifest)?)?;
        directory.remove_ends()?;
        directory.remove_after(table.cells.len())?;
        directory.write("steps.csv", &cells)?;
        directory.write("events.jsonl", &events)?;
        let steps = csv::Writer::from_writer(directory.append("steps.csv")?);
        let events = directory.append("events.jsonl")?;
        Ok(Self::of(directory, manifest, run, table.columns, (steps, events)))
    }

    fn of(
        directory: RunDirectory,
        manifest: Manifest,
        run: &RunInfo,
        columns: Vec<String>,
        (steps, events): (csv::Writer<File>, File),
    ) -> Self {
        let threshold_label = run.formula.clone().unwrap_or_else(|| "threshold".to_string());
        let picture = RunPicture::of(run, &threshold_label);
        let (layout, seed) = (run.layout.clone(), run.seed);
        Self { directory, manifest, seed, threshold_label, columns, layout, steps, events, picture }
    }

    /// Writes summary and pictures, and completes the manifest.
    fn finish(&mut self, summary: &Summary, error: Option<&Error>) -> Result<()> {
        self.directory.write("summary.json", &json::to_bytes(summary)?)?;
        self.manifest.finished = Some(now());
        self.manifest.exit_code = Some(summary.status.code());
        self.manifest.error = error.map(Error::to_string);
        self.directory.write("manifest.json", &json::to_bytes(&self.manifest)?)?;
        self.picture.draw(&self.directory)
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
    fn started(&mut self, run: &RunInfo) -> Result<()> {
        let directory = self.directory.clone();
        self.files = Some(match self.kept.take() {
            Some(kept) => Files::go_on(directory, run, kept)?,
            None => Files::create(directory, run)?,
        });
        Ok(())
    }

    fn row(&mut self, row: &StepRow) -> Result<()> {
        let Files { directory, columns, steps, picture, .. } = self.files()?;
        let written = steps.write_record(cells(row, columns));
        written.and_then(|()| Ok(steps.flush()?)).map_err(|e| steps_error(directory, e))?;
        picture.take(row);
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        let Files { directory, events, .. } = self.files()?;
        events.write_all(&line(event)?).map_err(|source| Error::Io {
            action: "write",
            path: directory.file("events.jsonl"),
            source,
        })
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        let Files { directory, layout, manifest, seed, .. } = self.files()?;
        write_checkpoint(directory, layout, manifest.precision, *seed, checkpoint)
    }

    fn spectrum(&mut self, spectrum: &Spectrum) -> Result<()> {
        let Files { directory, threshold_label, .. } = self.files()?;
        write_spectrum(directory, spectrum, threshold_label, &serde_json::Value::Null)
    }

    fn finished(&mut self, summary: &Summary, error: Option<&Error>) -> Result<()> {
        self.files()?.finish(summary, error)
    }
}
