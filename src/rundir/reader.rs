//! Reading a run directory back.

#[cfg(feature = "figures")]
use std::io::{BufRead, BufReader};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{RESULT_SCHEMA_VERSION, Resumption, RunDirectory, SCHEMA_VERSION};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::input;
use crate::record::{Columns, Event, StepRow, Summary, column_names, row_of_cells};

const REMEDY: &str = "run it again; the file is not what a run writes";

/// The parts of `manifest.json` that tell one run from another and how it ended.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ManifestHead {
    /// Version of the files' layout; 1 where it is not said.
    #[serde(default = "first_version")]
    pub schema_version: u32,
    /// Version of sharpscope.
    #[serde(default)]
    pub version: Option<String>,
    /// The resolved configuration.
    pub config: Value,
    /// The process exit code; `None` where the run is under way or was killed.
    pub exit_code: Option<u8>,
    /// What went wrong, if anything.
    pub error: Option<String>,
    /// The folder that paths in `config` are seen from.
    pub working_directory: Option<PathBuf>,
    /// `cpu` or `wgpu`.
    pub backend: Option<String>,
    /// Precision of parameters and arithmetic.
    pub precision: Option<Precision>,
    /// Its id; `None` where an earlier version wrote it.
    pub id: Option<String>,
    /// When it started.
    pub started: Option<String>,
    /// When and where it was gone on with.
    #[serde(default)]
    pub resumed: Vec<Resumption>,
    /// What it is a branch of.
    #[serde(default)]
    pub parent: Option<Value>,
    /// SHA-256 of the dataset's file.
    pub dataset_sha256: Option<String>,
    /// SHA-256 of `init.safetensors`.
    pub init_sha256: Option<String>,
    /// The training loss of outputs that are all zero, where it is known.
    pub zero_output_loss: Option<f64>,
    /// Rows of the dataset that train.
    #[serde(default)]
    pub train_indices: Vec<usize>,
    /// Rows of the dataset that validate.
    #[serde(default)]
    pub validation_indices: Vec<usize>,
    /// Rows of the dataset that are kept for a test.
    #[serde(default)]
    pub test_indices: Vec<usize>,
    /// Rows that curvature is measured on, where those are not all that train.
    pub curvature_indices: Option<Vec<usize>>,
}

fn first_version() -> u32 {
    1
}

impl ManifestHead {
    /// What the text of a manifest says.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self> {
        let head: Self = input::parse_json(text, path, REMEDY)?;
        check_schema(head.schema_version, path)?;
        Ok(head)
    }
}

/// The events in the text of a file, the last line being left out where it has no end.
pub(crate) fn events(text: &str, path: &Path) -> Result<Vec<Event>> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let event = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| {
            let line = Some(index as u64 + 1);
            Error::file(path, line, format!("not an event ({e})"), REMEDY)
        })
    };
    whole.lines().enumerate().map(event).collect()
}

/// A table of steps as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTable {
    path: PathBuf,
    /// The columns' names.
    pub columns: Vec<String>,
    /// The cells of each row, in the order of the columns.
    pub cells: Vec<csv::StringRecord>,
}

/// The parts of `manifest.json` that tell what was made of runs from a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct ResultManifest {
    /// What kind of result it is, which the manifest of a run does not say.
    pub kind: String,
    /// The command that made it.
    #[serde(default)]
    pub command: String,
    /// Its files, but for the manifest.
    #[serde(default)]
    pub files: Vec<String>,
}

impl ResultManifest {
    /// The command's name in full.
    pub fn made_by(&self) -> String {
        format!("'{}'", format!("{} {}", self.kind, self.command).trim_end())
    }
}

/// Whether a path in somebody else's file leads down from the folder that it is in.
pub(crate) fn stays_inside(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

impl RunDirectory {
    /// What its run is called: as its manifest's settings name it, else as the folder.
    #[cfg(any(feature = "data", feature = "figures"))]
    pub(crate) fn run_name(&self, head: Option<&ManifestHead>) -> Option<String> {
        let named = head.and_then(|head| head.config["name"].as_str()).map(str::to_string);
        let folder = || self.path().file_name().map(|name| name.to_string_lossy().into_owned());
        named.or_else(folder)
    }

    /// What the folder's `manifest.json` says where it is of a result that was made of runs; `None` where it is a
    /// run's, is not there, or is no such file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, or where a later version has written it.
    pub(crate) fn result_manifest(&self) -> Result<Option<ResultManifest>> {
        let path = self.file("manifest.json");
        if !path.is_file() {
            return Ok(None);
        }
        let text = input::read_text(&path, REMEDY)?;
        let Ok(value) = serde_json::from_str::<Value>(&text) else { return Ok(None) };
        let version = value["schema_version"].as_u64().unwrap_or(1);
        let Ok(manifest) = serde_json::from_value::<ResultManifest>(value) else { return Ok(None) };
        let plain = |name: &String| !name.contains('\\') && stays_inside(name);
        if version > u64::from(RESULT_SCHEMA_VERSION) || !manifest.files.iter().all(plain) {
            let problem = format!("schema_version = {version} is not one that this version reads");
            return Err(Error::file(path, None, problem, "read it with a later sharpscope"));
        }
        Ok(Some(manifest))
    }

    /// What `manifest.json` says; `None` where there is none. Keys that are not known are left alone.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read or understood, or where a later version has written it in
    /// a layout that this one does not know.
    pub fn manifest_head(&self) -> Result<Option<ManifestHead>> {
        let path = self.file("manifest.json");
        if !path.is_file() {
            return Ok(None);
        }
        if let Some(result) = self.result_manifest()? {
            let problem = format!("it is that of a result of {}, not of a run", result.made_by());
            return Err(Error::file(path, None, problem, "name the directory of a run"));
        }
        ManifestHead::parse(&input::read_text(&path, REMEDY)?, &path).map(Some)
    }

    /// What `summary.json` says.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read or understood.
    pub fn summary(&self) -> Result<Summary> {
        let path = self.file("summary.json");
        input::parse_json(&input::read_text(&path, REMEDY)?, &path, REMEDY)
    }

    /// The events in `events.jsonl`, none if there is no such file. A last line that a killed run left
    /// half written is dropped.
    ///
    /// # Errors
    /// [`Error::File`] with the line that is not an event.
    pub fn events(&self) -> Result<Vec<Event>> {
        events(&self.events_text()?, &self.file("events.jsonl"))
    }

    /// The text of `events.jsonl`, empty if there is no such file.
    pub(super) fn events_text(&self) -> Result<String> {
        let path = self.file("events.jsonl");
        match path.is_file() {
            true => input::read_text(&path, REMEDY),
            false => Ok(String::new()),
        }
    }

    /// Whether there is a table in `steps.csv`, with its header at least.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read.
    pub fn has_steps(&self) -> Result<bool> {
        let path = self.file("steps.csv");
        Ok(path.is_file() && input::read(&path, REMEDY)?.contains(&b'\n'))
    }

    /// The table in `steps.csv`, under the names that columns have in the present layout.
    ///
    /// # Errors
    /// As [`StepTable::read`].
    pub fn steps(&self) -> Result<StepTable> {
        let mut table = StepTable::read(&self.file("steps.csv"))?;
        let version = self.manifest_head()?.map_or(SCHEMA_VERSION, |head| head.schema_version);
        if version < 2 {
            table.take_names_of_version_2();
        }
        Ok(table)
    }
}

/// That this version reads files of such a layout.
pub(crate) fn check_schema(version: u32, path: &Path) -> Result<()> {
    if (1..=SCHEMA_VERSION).contains(&version) {
        return Ok(());
    }
    let (problem, remedy) = match version {
        0 => ("is no version of the layout, the first of which is 1".to_string(), REMEDY),
        _ => (
            format!("is later than {SCHEMA_VERSION}, the latest that this version reads"),
            "read it with a later sharpscope",
        ),
    };
    Err(Error::file(path, None, format!("schema_version = {version} {problem}"), remedy))
}

impl StepTable {
    /// A table without rows, to be written at `path`.
    pub fn empty(path: PathBuf, columns: &Columns) -> Self {
        Self { path, columns: column_names(columns), cells: Vec::new() }
    }

    /// Reads a table of steps. A last line that a killed run left half written is dropped.
    ///
    /// # Errors
    /// [`Error::File`] with the line: unreadable, or not a table of steps.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&input::read(path, "name a run directory with a steps.csv")?, path)
    }

    /// The names of a table's columns.
    ///
    /// # Errors
    /// As [`StepTable::read`].
    #[cfg(feature = "figures")]
    pub(super) fn header(path: &Path) -> Result<Vec<String>> {
        let mut line = Vec::new();
        let read = std::fs::File::open(path)
            .and_then(|file| BufReader::new(file).read_until(b'\n', &mut line));
        read.map_err(|e| {
            let problem = format!("cannot be read ({})", crate::error::reason(&e));
            Error::file(path, None, problem, REMEDY)
        })?;
        Ok(Self::parse(&line, path)?.columns)
    }

    /// As [`StepTable::read`], from the bytes of a file.
    pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let ragged = |line, problem: &str| Error::file(path, line, problem, REMEDY);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
        let describe = |e: csv::Error| {
            let line = e.position().map(csv::Position::line);
            ragged(line, &format!("not a table ({e})"))
        };
        let header = reader.headers().map_err(describe)?;
        let columns: Vec<String> = header.iter().map(str::to_string).collect();
        if columns.first().map(String::as_str) != Some("step") {
            return Err(ragged(Some(1), "the first column is not 'step'"));
        }
        let mut cells = reader.records().collect::<csv::Result<Vec<_>>>().map_err(describe)?;
        let whole = |record: &csv::StringRecord| record.len() == columns.len();
        if !bytes.ends_with(b"\n") || cells.last().is_some_and(|last| !whole(last)) {
            cells.pop();
        }
        if let Some(record) = cells.iter().find(|record| !whole(record)) {
            let problem = format!("{} cells under {} columns", record.len(), columns.len());
            return Err(ragged(record.position().map(csv::Position::line), &problem));
        }
        Ok(Self { path: path.to_path_buf(), columns, cells })
    }

    /// That the steps of the rows are whole numbers that ascend and, where every step `is_there`, count
    /// from 0: otherwise rows are missing, doubled or swapped.
    ///
    /// # Errors
    /// [`Error::File`] with the line of the first that is not so.
    pub(super) fn check_steps(&self, is_there: bool) -> Result<()> {
        let mut next = 0;
        for record in &self.cells {
            let wrong = |problem: String| {
                let line = record.position().map(csv::Position::line);
                Err(Error::file(&self.path, line, problem, REMEDY))
            };
            let cell = record.get(0).unwrap_or_default();
            let Ok(step) = cell.parse::<usize>() else {
                return wrong(format!("step = '{cell}' is not a whole number"));
            };
            if step < next || (is_there && step > next) {
                return wrong(format!(
                    "step = {step} where {next} should be{}: rows are missing, doubled or out of order",
                    if is_there { "" } else { " or a later one" }
                ));
            }
            next = step.saturating_add(1);
        }
        Ok(())
    }

    /// The same rows under other columns, those that it does not have being empty.
    pub fn under(self, columns: Vec<String>) -> Self {
        let places: Vec<Option<usize>> =
            columns.iter().map(|name| self.columns.iter().position(|own| own == name)).collect();
        let moved = |record: &csv::StringRecord| {
            places.iter().map(|at| at.and_then(|at| record.get(at)).unwrap_or_default()).collect()
        };
        let cells = self.cells.iter().map(moved).collect();
        Self { columns, cells, path: self.path }
    }

    /// In version 1 batch sharpness, where there was any, was the ratio of means.
    pub(super) fn take_names_of_version_2(&mut self) {
        for (at, name) in self.columns.iter_mut().enumerate() {
            let measured = || self.cells.iter().any(|record| record.get(at) != Some(""));
            match name.strip_prefix("batch_sharpness") {
                Some(rest @ ("" | "_se")) if measured() => {
                    *name = format!("batch_sharpness_ratio_of_means{rest}");
                }
                _ => {}
            }
        }
    }

    /// Adds the columns of these names that it lacks, with empty cells.
    pub(super) fn add_columns(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            if !self.columns.contains(&name) {
                self.columns.push(name);
                self.cells.iter_mut().for_each(|record| record.push_field(""));
            }
        }
    }

    /// The rows as numbers; columns that are missing are not measured, others are left alone.
    ///
    /// # Errors
    /// [`Error::File`] with the line of a cell that is not what its column holds.
    pub fn rows(&self) -> Result<Vec<StepRow>> {
        self.cells.iter().map(|record| self.row(record)).collect()
    }

    fn row(&self, record: &csv::StringRecord) -> Result<StepRow> {
        let names = self.columns.iter().map(String::as_str);
        row_of_cells(names, record).map_err(|(name, cell, what)| {
            let problem = format!("{name} = '{cell}' is not {what}");
            Error::file(&self.path, record.position().map(csv::Position::line), problem, REMEDY)
        })
    }
}
