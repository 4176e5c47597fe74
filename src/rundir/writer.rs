//! Writes a run into its directory while it happens.

use super::checkpoint::write_checkpoint;
use super::lines::Lines;
use super::pictures::RunPicture;
use super::table_sums::Written;
use super::watched::Watched;
use super::{
    Manifest, ManifestHead, Resumption, RunDirectory, StepTable, json, to_safetensors,
    write_spectrum,
};
use crate::autodiff::ParameterLayout;
use crate::curvature::Spectrum;
use crate::digest::digest;
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
    steps: Lines,
    events: Lines,
    /// What is in both, and what was before the latest row.
    written: Written,
    before: Written,
    /// Both, and where they were made.
    watched: [Watched; 2],
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

    /// The files, if they are where they were made: into a folder that was moved or replaced nothing is
    /// written.
    fn files(&mut self) -> Result<&mut Files> {
        let path = self.directory.path().to_path_buf();
        let source = || std::io::Error::other("the run has not begun");
        let begun = self.files.as_mut();
        let files = begun.ok_or_else(|| Error::Io { action: "write", path, source: source() })?;
        files.watched.iter_mut().try_for_each(Watched::check)?;
        Ok(files)
    }
}

impl Files {
    /// Writes manifest and initial weights, and opens the tables.
    fn create(directory: RunDirectory, run: &RunInfo) -> Result<Self> {
        let init = to_safetensors(&run.layout, &run.theta, run.precision)?;
        let manifest = Manifest { init_sha256: Some(digest(&[&init])), ..Manifest::of(run) };
        directory.write("manifest.json", &json::to_bytes(&manifest)?)?;
        directory.write("init.safetensors", &init)?;
        let lines =
            |name: &str| Ok::<_, Error>(Lines::new(directory.file(name), directory.open(name)?));
        let (events, mut steps) = (lines("events.jsonl")?, lines("steps.csv")?);
        let columns = column_names(&run.columns);
        steps.append(&table_bytes([&columns])?)?;
        let written = Written::new(&columns);
        Self::of(directory, manifest, run, columns, (steps, events), written)
    }

    /// Cuts the tables down to what is kept, and opens them.
    fn go_on(directory: RunDirectory, run: &RunInfo, kept: Kept) -> Result<Self> {
        let Kept { table, head } = kept;
        let mut manifest = Manifest::of(run);
        let layout = manifest.schema_version;
        let begins = head.is_none() && run.parent.is_some();
        if let Some(head) = head {
            // Until the table is in the present layout the manifest says which it is in.
            manifest.schema_version = head.schema_version;
            manifest.id = head.id.unwrap_or(manifest.id);
            manifest.parent = head.parent;
            manifest.started = head.started.unwrap_or(manifest.started);
            manifest.working_directory = head.working_directory;
            manifest.resumed = head.resumed;
            manifest.init_sha256 = head.init_sha256;
        }
        if !begins {
            manifest.resumed.push(Resumption { time: now(), step: run.first_step });
        }
        let mut cells = table_bytes([&table.columns])?;
        cells.extend(table_bytes(&table.cells)?);
        let (mut events, mut latest) = (Vec::new(), Vec::new());
        for event in &run.history.events {
            let after = event.step + 1 >= table.cells.len();
            if after { &mut latest } else { &mut events }.extend(line(event)?);
        }
        // From here on the run is one that has not ended.
        directory.write("manifest.json", &json::to_bytes(&manifest)?)?;
        directory.remove_ends()?;
        directory.remove_unfinished();
        directory.remove_after(table.cells.len())?;
        if run.first_step == 0 && !directory.file("init.safetensors").is_file() {
            let init = to_safetensors(&run.layout, &run.theta, run.precision)?;
            directory.write("init.safetensors", &init)?;
        }
        directory.write("steps.csv", &cells)?;
        directory.write("events.jsonl", &[&events[..], &latest].concat())?;
        if manifest.schema_version != layout {
            manifest.schema_version = layout;
            directory.write("manifest.json", &json::to_bytes(&manifest)?)?;
        }
        let lines =
            |name: &str| Ok::<_, Error>(Lines::new(directory.file(name), directory.append(name)?));
        let tables = (lines("steps.csv")?, lines("events.jsonl")?);
        let mut written = Written::new(&table.columns);
        written.told(&events);
        table.cells.iter().for_each(|row| written.row(row));
        written.told(&latest);
        Self::of(directory, manifest, run, table.columns, tables, written)
    }

    fn of(
        directory: RunDirectory,
        manifest: Manifest,
        run: &RunInfo,
        columns: Vec<String>,
        (steps, events): (Lines, Lines),
        written: Written,
    ) -> Result<Self> {
        let threshold_label = run.formula.clone().unwrap_or_else(|| "threshold".to_string());
        let picture = RunPicture::of(run, &threshold_label);
        let (layout, seed) = (run.layout.clone(), run.seed);
        let watched = [steps.watched()?, events.watched()?];
        Ok(Self {
            directory,
            manifest,
            seed,
            threshold_label,
            columns,
            layout,
            steps,
            events,
            before: written.clone(),
            written,
            watched,
            picture,
        })
    }

    /// Writes summary and pictures, and completes the manifest.
    fn finish(&mut self, summary: &Summary, error: Option<&Error>) -> Result<()> {
        self.directory.write("summary.json", &json::to_bytes(summary)?)?;
        // The numbers are there; a picture can be drawn from them at any time.
        if let Err(error) = self.picture.draw(&self.directory) {
            tracing::warn!("the picture of the run is missing: {error}");
        }
        // Last: a run whose manifest says how it ended has all that is written then.
        self.manifest.finished = Some(now());
        self.manifest.exit_code = Some(summary.status.code());
        self.manifest.error = error.map(Error::to_string);
        // Last: a run whose manifest says how it ended has all that is written then.
        self.directory.write("manifest.json", &json::to_bytes(&self.manifest)?)
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

/// Records as lines of a table.
pub(crate) fn table_bytes<R>(records: impl IntoIterator<Item = R>) -> Result<Vec<u8>>
where
    R: IntoIterator<Item: AsRef<[u8]>>,
{
    let failed = |e: csv::Error| Error::Encode { what: "a table", reason: e.to_string() };
    let mut table = csv::Writer::from_writer(Vec::new());
    records.into_iter().try_for_each(|record| table.write_record(record)).map_err(failed)?;
    table.into_inner().map_err(|e| failed(e.into_error().into()))
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
        let Files { columns, steps, picture, written, before, .. } = self.files()?;
        let cells = cells(row, columns);
        steps.append(&table_bytes([&cells])?)?;
        before.clone_from(written);
        written.row(&cells);
        picture.take(row);
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        let Files { events, written, .. } = self.files()?;
        let line = line(event)?;
        events.append(&line)?;
        written.told(&line);
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        let Files { directory, layout, manifest, seed, written, before, .. } = self.files()?;
        // The row of the step itself is taken again where a run goes on.
        let ahead = written.rows() > checkpoint.state.step;
        let tables = if ahead { before } else { written }.sums();
        write_checkpoint(directory, layout, manifest, *seed, checkpoint, tables)
    }

    fn spectrum(&mut self, spectrum: &Spectrum) -> Result<()> {
        let Files { directory, threshold_label, .. } = self.files()?;
        write_spectrum(directory, spectrum, threshold_label, &serde_json::Value::Null)
    }

    fn finished(&mut self, summary: &Summary, error: Option<&Error>) -> Result<()> {
        self.files()?.finish(summary, error)
    }
}
